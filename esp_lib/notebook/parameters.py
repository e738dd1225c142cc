"""The parameters of each chapter: one schema a chapter, checked before anything is computed.

papermill only warns of a misspelled parameter and goes on with the default; `check_parameters`
stops the run and lists what is allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from esp_lib._device import is_device
from esp_lib.records.experiment import TRAIN
from esp_lib.records.record import PROFILES


@dataclass(frozen=True)
class Parameter:
    """A number in [low, high] (or between them where open), one of some texts, or any text."""

    default: float | int | str
    low: float = float("-inf")
    high: float = float("inf")
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()
    device: bool = False  # "cpu", "cuda" or "cuda:<number>"
    path: bool = False  # a file, or "" for none

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        if self.device:
            return '"cpu", "cuda" or "cuda:<number>"'
        if self.path:
            return 'the path of a file, or ""'
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        kind = "an integer" if isinstance(self.default, int) else "a number"
        left, right = "(" if self.open_low else "[", ")" if self.open_high else "]"
        return f"{kind} in {left}{self.low:g}, {self.high:g}{right}"

    def accepts(self, value: object) -> bool:
        """Whether `value` is allowed."""
        if self.device:
            return is_device(value)
        if self.path:
            return isinstance(value, str)
        if self.choices:
            return value in self.choices
        kinds = (int,) if isinstance(self.default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below


BETA: dict[str, Any] = {"low": 0.0, "high": 1.0, "open_high": True}
PROFILE = Parameter("cpu", choices=PROFILES)
DEVICE = Parameter("cpu", device=True)
SEEDS = Parameter(16, low=1, high=1024)

RECORDED = {  # chapters that show recorded runs
    "profile": PROFILE,
    "device": DEVICE,
    "train": Parameter("auto", choices=TRAIN),
    "workers": Parameter(0, low=0, high=1024),
}

SCHEMAS: dict[str, dict[str, Parameter]] = {
    "01_introduction": {
        "num_seeds": SEEDS,
        "profile": PROFILE,
        "device": DEVICE,
    },
    "02_phenomenon": RECORDED,
    "03_factors": RECORDED,
    "04_mechanism": {
        "beta1": Parameter(0.9, **BETA),
        "beta2": Parameter(0.8, **BETA),
        "eps": Parameter(1e-8, low=0.0, high=1.0, open_low=True),
        "lr": Parameter(0.06, low=0.0, high=10.0, open_low=True),
        "epoch": Parameter(4, low=1, high=100),
        "b": Parameter(100, low=50, high=100),
        "num_seeds": Parameter(64, low=4, high=1024),
        "profile": PROFILE,
        "device": DEVICE,
    },
    "05_replication": {
        "beta1": Parameter(0.9, **BETA),
        "beta2": Parameter(0.8, **BETA),
        "eps": Parameter(1e-8, low=0.0, high=1.0, open_low=True),
        "lr": Parameter(0.06, low=0.0, high=10.0, open_low=True),
        "epochs": Parameter(10, low=3, high=1000),
        "batch_size": Parameter(100, low=1, high=2000),
        "plot_every": Parameter(10, low=1, high=100),
        "num_seeds": SEEDS,
        "profile": PROFILE,
        "device": DEVICE,
    },
    "06_beyond": {
        "beta1": Parameter(0.9, low=0.1, high=0.99),
        "eps": Parameter(1e-8, low=0.0, high=1.0, open_low=True),
        "lr": Parameter(0.06, low=0.0, high=1.0, open_low=True),
        "epochs": Parameter(30, low=12, high=1000),
        "num_seeds": Parameter(4, low=2, high=1024),
        "map_side": Parameter(24, low=6, high=128),
        "profile": PROFILE,
        "device": DEVICE,
    },
    "07_epochs_and_seeds": RECORDED,
    "08_your_run": {
        "log": Parameter("", path=True),
        "steps_per_epoch": Parameter(0.0, low=0.0, high=1e9),
        "seed": Parameter(0, low=0, high=2**32 - 1),
        "profile": PROFILE,
        "device": DEVICE,
    },
    "09_optimizers": {
        "epochs": Parameter(10, low=4, high=200),
        "num_seeds": Parameter(8, low=2, high=256),
        "lr": Parameter(0.06, low=0.0, high=1.0, open_low=True),
        "profile": PROFILE,
    },
}


def check_parameters(
    schema: Mapping[str, Parameter], namespace: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters found in a notebook's namespace.

    Args:
        schema: what the chapter takes.
        namespace: the notebook's `globals()` before it has defined anything but parameters.

    Returns:
        name -> value, in the order of the schema.

    Raises:
        ValueError: a name that is not in the schema, a missing one, or a value out of range.
    """
    given = {name: value for name, value in namespace.items() if _is_data(name, value)}
    listed = "\n".join(f"  {name}: {p.allowed}" for name, p in schema.items())
    unknown = [name for name in given if name not in schema]
    if unknown:
        raise ValueError(f"no parameter is called {unknown[0]!r}; parameters are\n{listed}")
    for name, parameter in schema.items():
        if name not in given:
            raise ValueError(f"parameter {name} is missing; parameters are\n{listed}")
        if not parameter.accepts(given[name]):
            raise ValueError(f"{name} must be {parameter.allowed}, got {given[name]!r}")
    return {name: given[name] for name in schema}


def _is_data(name: str, value: object) -> bool:
    """Whether a global is a parameter: not IPython's, not imported."""
    imported = isinstance(value, ModuleType | FunctionType | type) or callable(value)
    return not (name.startswith("_") or name in ("In", "Out") or imported)
