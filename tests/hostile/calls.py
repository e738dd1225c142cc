"""Calls of the library with wrong arguments: each ends, and says what is wrong, or just works.

`attack` takes a good call, puts hostile values in the place of one or two of its arguments, and
says how it broke, if it did. Whoever calls the library wrongly gets a ValueError or a TypeError
that names the argument, in little time and memory.
"""

import datetime
import resource
import time
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

import esp_lib
from esp_lib import Curve, QuadraticProblem, make_order, measure, simulate
from esp_lib.mechanism import batches, fits, two_samples
from esp_lib.quadratic.probes import Probes, probe
from esp_lib.sampling.orders import check_order
from esp_lib.theory import drift, interference, prediction, staleness

SECONDS, BYTES = 20.0, 2**30  # the most that a wrong call may take


class Odd:
    """An object that breaks whoever looks at it."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __repr__(self) -> str:
        raise RuntimeError("no name")


LOSS = np.tile(np.linspace(1, 2, 20), 6) + 0.1 * np.random.default_rng(0).normal(size=120)
PROBLEM = QuadraticProblem.sample(num_functions=40, dim=40, seed=1)
ADAM = esp_lib.Adam(lr=0.06)
PROBES = Probes(epochs=(1,), norms=("g",), products=("m",), batches=(1,), states=(3,))
ORDER = make_order("reshuffle", num_functions=40, epochs=2, batch_size=10)
CURVE = Curve(LOSS, 20)


class Call(NamedTuple):
    """A function with arguments that it takes."""

    function: Callable[..., Any]
    arguments: dict[str, Any]
    called: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 - other names of an argument in a message


def _rules() -> list[Call]:
    rules = [getattr(esp_lib, name) for name in esp_lib.__all__]
    rules = [r for r in rules if isinstance(r, type) and issubclass(r, esp_lib.Optimizer)]
    return [
        Call(rule, {name: getattr(rule(), name) for name in vars(rule())})
        for rule in rules
        if rule is not esp_lib.Optimizer
    ]


SETTING = {"lr": 0.06, "beta1": 0.9, "beta2": 0.8, "eps": 1e-8}
CALLS = [
    *_rules(),
    Call(
        measure,
        {"loss": LOSS, "steps_per_epoch": 20, "steps": np.arange(1, 121), "window": 1,
         "skip_epochs": 1},
        {"steps": ("loss",), "loss": ("steps",), "window": ("steps_per_epoch",),
         "steps_per_epoch": ("window", "steps")},
    ),
    Call(measure, {"loss": CURVE, "steps_per_epoch": 20}),
    Call(Curve, {"loss": LOSS, "steps_per_epoch": 20, "source": {}}),
    Call(CURVE.every, {"n": 4}),
    Call(CURVE.epochs, {"n": 4}),
    Call(CURVE.epoch_end, {"n": 4}),
    Call(
        simulate,
        {"problem": PROBLEM, "optimizer": ADAM, "order": "reshuffle", "epochs": 2,
         "batch_size": 10, "seed": 0, "x0": 3.0, "device": "cpu", "dtype": "float64"},
        {"seed": ("hyper-parameters",)},
    ),
    Call(simulate, {"problem": PROBLEM, "optimizer": ADAM, "order": ORDER, "epochs": 2,
                    "batch_size": 10}, {"epochs": ("order",)}),
    Call(QuadraticProblem.sample, {"num_functions": 40, "dim": 40, "seed": 0}),
    Call(
        QuadraticProblem,
        {"a": PROBLEM.a, "b": PROBLEM.b, "c": PROBLEM.c, "coordinate": PROBLEM.coordinate,
         "dim": 40},
        {"dim": ("coordinate",)},
    ),
    Call(make_order, {"kind": "reshuffle", "num_functions": 40, "epochs": 2, "batch_size": 10,
                      "seed": 0}, {"kind": ("order",), "num_functions": ("batch_size",)}),
    Call(check_order, {"order": ORDER, "num_functions": 40, "epochs": 2},
         {"num_functions": ("order",), "epochs": ("order",)}),
    Call(probe, {"problem": PROBLEM, "optimizer": ADAM, "probes": PROBES, "order": "reshuffle",
                 "epochs": 2, "batch_size": 10, "seed": 0, "x0": 3.0},
         {"seed": ("hyper-parameters",), "batch_size": ("batches", "epochs")}),
    Call(Probes, {"epochs": (1,), "norms": ("g",), "products": ("m",), "batches": (1,),
                  "batch_loss": True, "states": (3,)}),
    Call(
        prediction.predict,
        {"optimizer": ADAM, "order": "reshuffle", "epochs": 2, "batch_size": 10,
         "num_functions": 40, "dim": 40, "x0": 3.0, "groups": (1, 2), "points": 64, "scramble": 0},
        {"dim": ("groups",), "num_functions": ("batch_size", "groups")},
    ),
    Call(drift.threshold, {"beta1": 0.9}),
    Call(drift.displacement, {"longest": 9, "gradient": 0.1, **SETTING}),
    Call(drift.displacement_without_eps,
         {"longest": 9, **{k: v for k, v in SETTING.items() if k != "eps"}}),
    Call(drift.steps_to_eps, {"gradient": 0.1, "beta2": 0.9, "eps": 1e-8}),
    Call(drift.drift_profile, {**SETTING, "batch_size": 10, "steps_per_epoch": 10}),
    Call(interference.spread, {"kappa": 0.5, "size": 3, "order": "fixed"}),
    Call(interference.settle, {"pull": 0.5, "size": 3, "order": "fixed"}),
    Call(interference.interference_profile,
         {"size": 2, "order": "reshuffle", "lr": 0.1, "steps_per_epoch": 10}, {"lr": ("pull",)}),
    Call(staleness.staleness_pmf,
         {"order": "fixed", "step": 1, "steps_per_epoch": 5, "longest": 9},
         {"steps_per_epoch": ("step",)}),
    Call(staleness.mean_staleness, {"order": "fixed", "steps_per_epoch": 5}),
    Call(staleness.gap_pmf, {"steps_per_epoch": 5}),
    Call(staleness.observed_staleness, {"order": ORDER, "batch_size": 10}),
    Call(batches.around_own_visit, {"loss": np.ones((3, 4, 4))}),
    Call(batches.batch_gradient,
         {"problem": PROBLEM, "functions": np.arange(4), "x": np.ones(40)}),
    Call(fits.fit, {"model": fits.line, "t": np.arange(9.0), "runs": LOSS[:9],
                    "start": [1.0, 0.1]}, {"t": ("runs",), "start": ("runs",)}),
    Call(two_samples.alternate, {"sequence": "ABAB", "momentum": 0.5}),
    Call(two_samples.steady_swing, {"run_length": 2, "momentum": 0.5, "lr": 0.1}),
]  # fmt: skip

HOSTILE: list[Any] = [
    None, True, False, np.bool_(True), 0, -1, 1, 3, 7, 10**18, 2**63, 10**400, -(10**400),
    0.0, -0.5, 0.5, 2.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"), -float("inf"),
    1j, complex("nan"), "", "3", "a", "cuda", "cuda:99", "..", "\x00", b"3", b"", bytearray(2),
    [], [[]], (), {}, {"a": 1}, set(), {1, 2}, [1, "a"], [[1, 2], [3]], [None], [1.0, None],
    object(), Odd(), int, len, lambda: 3, range(5), iter([1.0]), slice(2), ...,
    Fraction(1, 3), Fraction(10**400), Decimal("0.5"), datetime.date(2020, 1, 1),
    datetime.timedelta(1),
    np.datetime64("2020-01-01"), np.array(["2020-01-01"], "M8[D]"), np.timedelta64(3, "s"),
    np.array([]), np.zeros((0, 3)), np.array(3), np.uint8(5), np.int8(-3), np.uint16(9),
    np.float16(0.5), np.longdouble("1e4000"), np.array([1 + 2j]), np.array(["a"]),
    np.array([b"3"]), np.array([object()]), np.array([True, False]), np.array(None),
    np.zeros(2, [("a", float)]), np.ma.masked, np.ma.masked_array([1.0, 2.0], [False, True]),
    np.ma.masked_array(LOSS, LOSS > 2), np.ma.masked_array([1, 2]), np.zeros((2, 3, 4)),
    np.full(40, np.nan), np.arange(40), np.arange(40)[::-1], np.ones((2, 40), int), ORDER,
    LOSS, CURVE, PROBLEM, ADAM, esp_lib.Lion(), PROBES,
]  # fmt: skip


def attack(call: Call, changed: dict[str, Any]) -> str | None:
    """How a call with some other arguments broke; None if it worked or was refused in words."""
    names = [word for name in changed for word in (name, *call.called.get(name, ()))]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is infinite
            call.function(**{**call.arguments, **changed})
    except (ValueError, TypeError) as error:
        if not any(name in str(error) for name in names):
            return f"{type(error).__name__} names none of {names}: {error}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    if (seconds := time.process_time() - started) > SECONDS:
        return f"took {seconds:.1f} s"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return f"took {grown} bytes" if grown > BYTES else None


def broken(count: int, seed: int) -> list[str]:
    """Attack with random arguments; a line for each call that broke."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        call = CALLS[rng.integers(len(CALLS))]
        some = rng.permutation(list(call.arguments))[: rng.integers(1, 3)]
        changed = {str(name): HOSTILE[rng.integers(len(HOSTILE))] for name in some}
        if reason := attack(call, changed):
            found.append(f"{_name(call)}({_said(changed)}): {reason}")
    return found


def _name(call: Call) -> str:
    return str(getattr(call.function, "__qualname__", call.function))


def _said(changed: dict[str, Any]) -> str:
    from esp_lib._checks import shown

    return ", ".join(f"{name}={shown(value)[:60]}" for name, value in changed.items())
