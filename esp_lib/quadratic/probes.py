"""Probes: what to record along a run of `simulate` beside the loss, and the run that records it.

Source: the analysis section of Liu and Ma (2025) and its published code. Notation: step t visits
batch t of its epoch; l^b_t is the loss of batch b of the same epoch at x_t, before update t, and
its gradient is taken there; g_t is the gradient of the visited batch at x_t; m_t and v_t are the
moments that already contain g_t, without bias correction; the update is x_{t+1} - x_t. Norms are
Euclidean over the coordinates that functions use. Batches and steps are counted from 0; the paper's
"b = 100" is `batches=(99,)`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from esp_lib import _checks
from esp_lib._threads import share
from esp_lib.optimizers.base import Optimizer
from esp_lib.quadratic.plan import Group, make_plan
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import make_curve
from esp_lib.sampling.orders import check_batch_size
from esp_lib.sawtooth.curve import Curve

if TYPE_CHECKING:
    from esp_lib.quadratic._probes_numba import Tape

Array = NDArray[np.float64]

NORMS = ("g", "m", "v", "update")
PRODUCTS = ("g", "m", "update")
STATES = ("x", "g", "m", "v", "v_before")


@dataclass(frozen=True)
class Probes:
    """What to record beside the loss.

    Attributes:
        epochs: epochs (from 0) at each step of which norms, products and losses are recorded.
        norms: any of "g", "m", "v", "update".
        products: any of "g", "m", "update": its inner product with each watched batch's gradient.
        batches: watched batches, counted from 0 in their epoch.
        batch_loss: record l^b of the watched batches before and after each update.
        states: steps (from 0, of the whole run) at which to keep whole vectors.

    Raises:
        ValueError: an unknown name, a repeated or negative number, nothing to record, or products
            or batch losses without a watched batch.
    """

    epochs: tuple[int, ...] = ()
    norms: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    batch_loss: bool = False
    states: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("epochs", "batches", "states"):
            numbers = getattr(self, name)
            entries = _checks.several(name, numbers, "integers")
            checked = tuple(_checks.integer(name, number, low=0) for number in entries)
            if len(set(checked)) < len(checked):
                raise ValueError(f"{name} must be distinct, got {checked}")
            object.__setattr__(self, name, checked)
        for name, allowed in (("norms", NORMS), ("products", PRODUCTS)):
            words = _checks.several(name, getattr(self, name), "names")
            object.__setattr__(self, name, tuple(_checks.choice(name, w, allowed) for w in words))
        watches = self.batches and (self.products or self.batch_loss)
        if (self.products or self.batch_loss) and not self.batches:
            raise ValueError("batches must name a watched batch for products or batch_loss, got ()")
        if not self.states and not (self.epochs and (self.norms or watches)):
            raise ValueError(
                f"probes must name epochs with norms, products or batch_loss, or states; got {self}"
            )


@dataclass(frozen=True, eq=False)
class ProbeRecord:
    """What the probes saw; leading axes (...) as in `simulate`.

    Attributes:
        curve: the loss of every step, as `simulate` returns it.
        step: (recorded,) steps of the run that were recorded, ascending, from 0.
        batches: (watched,) the watched batches.
        norm: name -> (..., recorded).
        product: name -> (..., recorded, watched).
        loss_before: l^b before the step's update, (..., recorded, watched); empty if not asked for.
        loss_after: l^b after the step's update, likewise.
        state: "x" (before the update), "g", "m", "v", "v_before" (v of the step before) ->
            (..., states, dim).
    """

    curve: Curve
    step: NDArray[np.int64]
    batches: NDArray[np.int64]
    norm: Mapping[str, Array]
    product: Mapping[str, Array]
    loss_before: Array
    loss_after: Array
    state: Mapping[str, Array]


def probe(
    problem: QuadraticProblem,
    optimizer: Optimizer,
    probes: Probes,
    *,
    order: str | ArrayLike = "reshuffle",
    epochs: int | None = None,
    batch_size: int = 100,
    seed: ArrayLike = 0,
    x0: ArrayLike = 3.0,
) -> ProbeRecord:
    """Train as `simulate` does and record what the probes name, in float64 on all cores.

    Args:
        problem: the functions; shapes broadcast as in `simulate`.
        optimizer: the update rule with its hyper-parameters.
        probes: what to record, and when.
        order: "reshuffle", "fixed", "reverse", "replacement", or integers (epochs, num_functions).
        epochs: passes over the functions; None stops after the last recorded epoch or state.
        batch_size: functions a step; divides the number of functions.
        seed: seed of the order, integers from 0 to 2**32 - 1.
        x0: the starting point, a number or (dim,).

    Returns:
        The record. Where a run diverges, its numbers are inf or NaN from that step on.

    Raises:
        ValueError: an argument out of its range, a probe outside the run, shapes that don't
            broadcast, or a rule of another form, whose state differs.

    Example:
        >>> from esp_lib import Adam, QuadraticProblem
        >>> problem = QuadraticProblem.sample(num_functions=200, dim=200)
        >>> probes = Probes(epochs=(1,), norms=("g", "m"), products=("m",), batches=(9,))
        >>> record = probe(problem, Adam(lr=0.06, beta2=[0.999, 0.8]), probes, batch_size=20)
        >>> record.norm["g"].shape, record.product["m"].shape
        ((2, 10), (2, 10, 1))
    """
    _checks.instance("problem", problem, QuadraticProblem)
    _checks.instance("optimizer", optimizer, Optimizer)
    _checks.instance("probes", probes, Probes)
    per_epoch = problem.num_functions // check_batch_size(batch_size, problem.num_functions)
    from esp_lib.quadratic._probes_numba import Slots, run_probes

    last = max((*probes.epochs, *(state // per_epoch for state in probes.states)))
    epochs = last + 1 if epochs is None else _checks.integer("epochs", epochs, low=1)
    if last >= epochs:
        raise ValueError(
            f"epochs must be at least {last + 1} for probes at epochs {probes.epochs} and states "
            f"{probes.states}, got {epochs}"
        )
    if probes.batches and max(probes.batches) >= per_epoch:
        raise ValueError(f"batches must be at most {per_epoch - 1}, got {max(probes.batches)}")
    if not optimizer.two_moment_form:
        raise ValueError(f"optimizer must be of the two-moment form here, got {optimizer.name}")
    plan = make_plan(
        problem, optimizer, order=order, epochs=epochs, batch_size=batch_size, seed=seed, x0=x0
    )
    recorded = np.sort(np.array(probes.epochs, np.int64))
    step = (recorded[:, None] * per_epoch + np.arange(per_epoch)).ravel()
    states = np.array(probes.states, np.int64)
    slots = Slots(_places(step, plan.steps), _places(states, plan.steps))

    def run_group(group: Group) -> "dict[int, Tape]":
        drawn = plan.draw(group)
        table = drawn.reshape(epochs, per_epoch, batch_size)
        watched = table[recorded][:, list(probes.batches)]  # (epochs, watched, batch_size)
        tapes = run_probes(group, drawn, plan.start, batch_size, slots, watched)
        return dict(zip(group.runs, tapes, strict=True))

    parts = share(run_group, plan.groups)
    runs = {run: tape for part in parts for run, tape in part.items()}
    tapes = [runs[run] for run in range(len(runs))]

    def gather(parts: Iterable[Array]) -> Array:
        rows = np.stack(list(parts))
        return rows.reshape(*plan.shape, *rows.shape[1:])

    watched = slice(None) if probes.batch_loss else slice(0)
    loss = gather(tape.loss for tape in tapes)
    return ProbeRecord(
        curve=make_curve(loss, problem, optimizer, order, batch_size, "cpu"),
        step=step,
        batches=np.array(probes.batches, np.int64),
        norm={n: gather(t.norm[:, NORMS.index(n)] for t in tapes) for n in probes.norms},
        product={
            n: gather(t.product[..., PRODUCTS.index(n)] for t in tapes) for n in probes.products
        },
        loss_before=gather(t.level[:, watched, 0] for t in tapes),
        loss_after=gather(t.level[:, watched, 1] for t in tapes),
        state={n: gather(t.state[:, i] for t in tapes) for i, n in enumerate(STATES)},
    )


def _places(steps: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Where each of `total` steps stands in `steps`, or -1."""
    places = np.full(total, -1, np.int64)
    places[steps] = np.arange(steps.size)
    return places
