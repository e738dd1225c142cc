"""Labelled synthetic logs: the training loss of runs whose teeth, or whose lack of them, is known.

`make` builds one run by its label, `draw` one of random settings. The diagnosis is held against
them (`benchmarks/diagnosis.py`), and chapter 8 shows them; they use nothing of it. How a run looks
in a file is in `synthetic_files.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from esp_lib.logs.log import Log

Array = NDArray[Any]

# Label -> the verdict and the cause that are right for it. "cannot tell" is never wrong, but counts
# as a miss where a tooth is there to be found.
RIGHT: dict[str, tuple[str, str | None]] = {
    "sawtooth": ("sawtooth", "reshuffling"),
    "smooth": ("none", None),
    "smoothed": ("none", None),
    "fixed order": ("none", "fixed order"),
    "periodic order": ("none", "periodic order"),
    "schedule": ("none", "learning-rate steps"),
    "running average": ("none", "running average"),
    "evaluation": ("none", "boundary artefact"),
    "staircase": ("staircase", "staircase"),
}
NOISES = ("normal", "heavy tails", "skewed", "proportional", "correlated")
DECAYS = ("flat", "linear", "exponential", "power law", "cosine", "logarithm")


@dataclass(frozen=True, eq=False)
class LabelledRun:
    """A run as it was logged; steps count from 1."""

    label: str
    steps: Array
    loss: Array
    steps_per_epoch: int
    learning_rate: Array | None = None


def decay(name: str, t: Array, epochs: int) -> Array:
    """A smooth loss over time in epochs, which falls by one or two."""
    return {
        "flat": np.full_like(t, 2.0),
        "linear": 3.0 - t / epochs,
        "exponential": 2.0 + 2.0 * np.exp(-t / (0.15 * epochs)),
        "power law": 1.5 + 1.0 * (t + 0.1) ** -0.5,
        "cosine": 2.5 + 0.5 * np.cos(np.pi * t / epochs),
        "logarithm": 3.0 - 0.3 * np.log(t + 0.05),
    }[name]


def noise_of(kind: str, size: int, curve: Array, rng: np.random.Generator) -> Array:
    """Noise with standard deviation one (on average, where it follows the curve)."""
    if kind == "heavy tails":
        return rng.standard_t(5, size) / np.sqrt(5 / 3)
    if kind == "skewed":
        return rng.gamma(2.0, size=size) / np.sqrt(2) - np.sqrt(2)
    white = rng.normal(size=size)
    if kind == "proportional":
        return white * curve / curve.mean()
    if kind == "correlated":
        return smooth(white, 0.5) * np.sqrt(3)
    return white


def smooth(values: Array, keep: float) -> Array:
    """Exponential moving average that keeps a share of the last value."""
    out = np.empty_like(values)
    last = values[0]
    for i, value in enumerate(values):
        last = keep * last + (1 - keep) * value
        out[i] = last
    return out


def make(
    label: str,
    seed: int,
    *,
    steps_per_epoch: int = 200,
    epochs: int = 8,
    every: int = 1,
    averaged: bool = False,
    noise: str = "normal",
    trend: str = "power law",
    size: float = 2.0,
    sigma: float = 0.05,
    shape: str = "linear",
    detail: int = 0,
) -> LabelledRun:
    """One run.

    Args:
        label: a key of `RIGHT`.
        seed: of all that is random.
        steps_per_epoch: T.
        epochs: how many; the last is complete.
        every: steps from one logged point to the next.
        averaged: whether a logged point is the mean since the last one, or the loss of its step.
        noise: one of `NOISES`.
        trend: one of `DECAYS`.
        size: of what there is to see (tooth, step, spike), in standard deviations of the noise of
            a logged point.
        sigma: standard deviation of the noise of one step.
        shape: of the tooth: "linear", "concave" or "convex".
        detail: picks a variant of the label.
    """
    rng = np.random.default_rng([seed, len(label), steps_per_epoch])
    T = steps_per_epoch
    total = T * epochs
    step = np.arange(1, total + 1)
    t = step / T
    epoch = (step - 1) // T
    phase = ((step - 1) % T + 0.5) / T
    curve = decay(trend, t, epochs)
    fresh = sigma * noise_of(noise, total, curve, rng)
    point = sigma / np.sqrt(every) if averaged else sigma
    height = size * point
    rate = None
    loss = curve + fresh
    if label == "sawtooth":
        tooth = {"linear": phase, "concave": 1 - (1 - phase) ** 2, "convex": phase**1.7}[shape]
        late = np.diff(decay(trend, np.arange(epochs // 2, epochs + 1.0), epochs))
        steep = np.abs(late).max(initial=1e-9) / (0.4 * height)  # an epoch's fall, in 0.4 teeth
        loss = curve / max(1.0, steep) + fresh + height * (tooth - tooth.mean())
    elif label == "fixed order":
        loss = curve + 0.4 * fresh + sigma * rng.normal(size=T)[(step - 1) % T]
    elif label == "periodic order":
        waves = [np.sin(2 * np.pi * (k * phase + rng.random())) for k in (1, 2)]
        loss = loss + height * (waves[0] + (0.7 * waves[1] if detail % 2 else 0))
    elif label == "schedule":
        shares = [[0.5, 0.75], [0.34, 0.67], [0.3, 0.6, 0.85]][detail % 3]
        shares = shares[: max(1, (epochs - 1) // 3)]
        changes = [round(share * epochs) * T for share in shares]
        if detail % 4 == 3:
            changes = [c - T // 3 for c in changes]
        rate = 1e-3 * 0.1 ** (step[:, None] > np.array(changes)).sum(axis=1)
        drops = sum(np.where(step > c, 1 - 0.3 * np.exp(-(step - c) / T), 0) for c in changes)
        loss = loss - height * drops
        rate = rate if detail % 2 else None
    elif label == "running average":
        steps_in = (step - 1) % T + 1
        sums = np.cumsum(loss.reshape(epochs, T), axis=1).ravel()
        loss = sums / steps_in
        averaged = False
    elif label == "evaluation":
        width = 1 + detail % 2
        loss, step_of = log(loss, every, averaged)
        first = np.unique((step_of - 1) // T, return_index=True)[1]
        at = (first[:, None] + np.arange(width)).ravel() if detail % 3 else first[1:] - 1
        sign = -1.0 if detail % 3 == 1 else 1.0
        at = at[at < loss.size]
        loss[at] += sign * max(size, 4.0) * point
        return LabelledRun(label, step_of, loss, T)
    elif label == "staircase":
        keep = 0.95 if detail % 2 else 1.0  # of the drop, from one boundary to the next
        levels = np.cumsum(np.append(0.0, keep ** np.arange(epochs - 1)))
        loss = 2 + fresh - height * levels[epoch] - 0.2 * height * phase
    loss, step_of = log(loss, every, averaged)
    if label == "smoothed":
        loss = smooth(loss, 0.98 if detail % 2 else 0.9)
    return LabelledRun(label, step_of, loss, T, None if rate is None else rate[step_of - 1])


def draw(label: str, seed: int) -> tuple[LabelledRun, dict[str, Any]]:
    """A run of random settings, and the settings: 6 to 300 points an epoch, 3 to 40 epochs."""
    rng = np.random.default_rng([seed, 7, *label.encode()])
    T = int(rng.choice([50, 60, 100, 120, 200, 313, 500, 937, 1000, 2500]))
    points = float(rng.choice([6, 10, 20, 30, 50, 100, 200]))
    every = max(1, round(T / points * rng.choice([0.93, 1.0, 1.0, 1.11])))
    settings: dict[str, Any] = {
        "steps_per_epoch": T,
        "epochs": int(rng.choice([3, 4, 5, 6, 8, 10, 12, 20, 40])),
        "every": every,
        "averaged": bool(rng.random() < 0.5),
        "noise": str(rng.choice(NOISES)),
        "trend": str(rng.choice(DECAYS)),
        "size": float(rng.choice([1.0, 1.5, 2.0, 4.0, 8.0])),
        "sigma": float(rng.choice([0.02, 0.05, 0.2])),
        "shape": str(rng.choice(["linear", "concave", "convex"])),
        "detail": int(rng.integers(12)),
    }
    settings["epochs"] = min(settings["epochs"], max(3, 40_000 // T))
    return make(label, seed, **settings), settings


def log(loss: Array, every: int, averaged: bool) -> tuple[Array, Array]:
    """The points of a log, and their steps."""
    count = loss.size // every
    at = np.arange(1, count + 1) * every
    if averaged:
        return loss[: count * every].reshape(count, every).mean(axis=1), at
    return loss[at - 1], at


def as_log(run: LabelledRun, every: int = 1) -> Log:
    """The run as it would have been read; `every` is the steps from one point to the next."""
    return Log(
        steps=run.steps.astype(float),
        loss=run.loss,
        epochs=None,
        validation=None,
        learning_rate=run.learning_rate,
        steps_per_epoch=None,
        steps_per_epoch_error=0.0,
        interval=float(every),
        averaged=False,
        source="synthetic",
        notes=(),
    )
