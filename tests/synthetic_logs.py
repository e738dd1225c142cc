"""Labelled synthetic logs: the training loss of runs whose teeth, or whose lack of them, is known.

`make` builds one run by its label, `write_*` put a run into a format, and `corpus` writes one small
file of every format. Nothing here uses the code under test.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
    "staircase": ("none", "staircase"),
}
NOISES = ("normal", "heavy tails", "skewed", "proportional", "correlated")
DECAYS = ("flat", "linear", "exponential", "power law", "cosine", "logarithm")


@dataclass(frozen=True, eq=False)
class Run:
    """A run as it was logged; steps count from 1."""

    label: str
    steps: np.ndarray
    loss: np.ndarray
    steps_per_epoch: int
    learning_rate: np.ndarray | None = None


def decay(name: str, t: np.ndarray, epochs: int) -> np.ndarray:
    """A smooth loss over time in epochs, which falls by one or two."""
    return {
        "flat": np.full_like(t, 2.0),
        "linear": 3.0 - t / epochs,
        "exponential": 2.0 + 2.0 * np.exp(-t / (0.15 * epochs)),
        "power law": 1.5 + 1.0 * (t + 0.1) ** -0.5,
        "cosine": 2.5 + 0.5 * np.cos(np.pi * t / epochs),
        "logarithm": 3.0 - 0.3 * np.log(t + 0.05),
    }[name]


def noise_of(kind: str, size: int, curve: np.ndarray, rng: np.random.Generator) -> np.ndarray:
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


def smooth(values: np.ndarray, keep: float) -> np.ndarray:
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
) -> Run:
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
        return Run(label, step_of, loss, T)
    elif label == "staircase":
        keep = 0.95 if detail % 2 else 1.0  # of the drop, from one boundary to the next
        levels = np.cumsum(np.append(0.0, keep ** np.arange(epochs - 1)))
        loss = 2 + fresh - height * levels[epoch] - 0.2 * height * phase
    loss, step_of = log(loss, every, averaged)
    if label == "smoothed":
        loss = smooth(loss, 0.98 if detail % 2 else 0.9)
    return Run(label, step_of, loss, T, None if rate is None else rate[step_of - 1])


def draw(label: str, seed: int) -> tuple[Run, dict[str, Any]]:
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


def log(loss: np.ndarray, every: int, averaged: bool) -> tuple[np.ndarray, np.ndarray]:
    """The points of a log, and their steps."""
    count = loss.size // every
    at = np.arange(1, count + 1) * every
    if averaged:
        return loss[: count * every].reshape(count, every).mean(axis=1), at
    return loss[at - 1], at


# --------------------------------------------------------------------------------------- formats


def cell(value: float) -> str:
    """A number as a log has it: an empty cell for NaN."""
    return "" if np.isnan(value) else f"{value:.6g}"


def write_csv(path: Path, columns: dict[str, np.ndarray], delimiter: str = ",") -> None:
    """A table with a header; NaN is an empty cell."""
    rows = zip(*columns.values(), strict=True)
    lines = [delimiter.join(columns), *(delimiter.join(map(cell, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf8")


def write_json_lines(path: Path, run: Run) -> None:
    """One object a line."""
    rows = zip(run.steps.tolist(), run.loss.tolist(), strict=True)
    lines = [json.dumps({"step": step, "loss": round(loss, 5)}) for step, loss in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf8")


def write_trainer_state(path: Path, run: Run, decimals: int | None = 2) -> None:
    """The Hugging Face Trainer's state, with a validation loss after each epoch.

    Args:
        path: of the file.
        run: an averaged one.
        decimals: of the epoch, as older versions round it; None for none.
    """
    T, total = run.steps_per_epoch, int(run.steps[-1])
    epochs = round(total / T)

    def epoch(step: int) -> float:
        return step / T if decimals is None else round(step / T, decimals)

    history: list[dict[str, Any]] = [
        {"epoch": epoch(step), "grad_norm": 1.0 + 0.1 * (step % 7), "learning_rate": 5e-5,
         "loss": round(loss, 4), "step": step}
        for step, loss in zip(run.steps.tolist(), run.loss.tolist(), strict=True)
    ]  # fmt: skip
    history += [
        {"epoch": float(k), "eval_loss": round(2.5 - 0.4 / k + 0.05 * k, 4), "step": k * T}
        for k in range(1, epochs + 1)
    ]
    history.sort(key=lambda row: (row["step"], "eval_loss" in row))
    mean = round(float(run.loss.mean()), 4)
    history.append(
        {"epoch": float(epochs), "step": total, "train_loss": mean, "train_runtime": 9.1}
    )
    state = {
        "best_metric": None, "epoch": float(epochs), "global_step": total,
        "is_local_process_zero": True, "log_history": history, "logging_steps": 10,
        "max_steps": total, "num_train_epochs": epochs,
    }  # fmt: skip
    path.write_text(json.dumps(state, indent=2) + "\n", encoding="utf8")


def write_lightning(path: Path, run: Run) -> None:
    """Lightning's `metrics.csv`: steps count from 0, rows of training and validation alternate."""
    T = run.steps_per_epoch
    epochs = int(run.steps[-1]) // T
    rows = [(step - 1, (step - 1) // T, loss, np.nan, np.nan)
            for step, loss in zip(run.steps.tolist(), run.loss.tolist(), strict=True)]  # fmt: skip
    for k in range(epochs):
        inside = run.loss[(run.steps > k * T) & (run.steps <= (k + 1) * T)]
        rows.append(((k + 1) * T - 1, k, np.nan, 2.0 - 0.1 * k, inside.mean()))
    rows.sort(key=lambda row: (row[0], np.isnan(row[2])))
    names = ("step", "epoch", "train_loss_step", "val_loss", "train_loss_epoch")
    write_csv(
        path,
        {
            name: np.array(column)
            for name, column in zip(names, zip(*rows, strict=True), strict=True)
        },
    )


def write_wandb(path: Path, runs: dict[str, Run]) -> None:
    """A Weights & Biases export of one panel with several runs."""
    steps = next(iter(runs.values())).steps
    columns: dict[str, np.ndarray] = {'"Step"': steps}
    for name, run in runs.items():
        for end in ("", "__MIN", "__MAX"):
            columns[f'"{name} - train/loss{end}"'] = run.loss
    write_csv(path, columns)


def write_text(path: Path, run: Run, style: str) -> None:
    """Printed lines: "plain", "nanogpt", "keras", "tqdm", "pytorch", "megatron" or "dict"."""
    T = run.steps_per_epoch
    epochs = int(run.steps[-1]) // T
    lines = []
    last = 0
    for step, loss in zip(run.steps.tolist(), run.loss.tolist(), strict=True):
        k, i = (step - 1) // T + 1, (step - 1) % T + 1
        if style == "keras" and k != last:
            lines.append(f"Epoch {k}/{epochs}\n")
        lines.append({
            "plain": f"step {step} loss {loss:.4f}\n",
            "nanogpt": f"iter {step - 1}: loss {loss:.4f}, time {40 + step % 7}.31ms\n",
            "keras": f"{i}/{T} [=====>....] - ETA: {T - i}s - loss: {loss:.4f} - accuracy: 0.5\r",
            "tqdm": f"Epoch {k - 1}:  {100 * i // T}%|███▌  | {i}/{T} [00:10<00:12,4.{i % 9}it/s, "
                    f"loss={loss:.4f}]\r",
            "pytorch": f"Train Epoch: {k} [{(i - 1) * 64}/{T * 64} ({100 * i // T}%)]\t"
                       f"Loss: {loss:.6f}\n",
            "megatron": f" iteration {step:8d}/{T * epochs:8d} | consumed samples: {step * 4} | "
                        f"learning rate: 1.500E-04 | lm loss: {loss:.6E} | loss scale: 1.0 |\n",
            "dict": f"{{'loss': {loss:.4f}, 'learning_rate': 5e-05, 'epoch': {step / T:.2f}}}\n",
        }[style])  # fmt: skip
        last = k
    path.write_text("".join(lines), encoding="utf8", newline="")


def varint(value: int) -> bytes:
    """A protocol buffer's number."""
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(number: int, content: bytes) -> bytes:
    """A protocol buffer's field of bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def crc32c(data: bytes) -> int:
    """The checksum of TensorFlow's records, masked."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def event_record(content: bytes) -> bytes:
    """An `Event` as it stands in the file, with checksums."""
    size = struct.pack("<Q", len(content))
    return size + struct.pack("<I", crc32c(size)) + content + struct.pack("<I", crc32c(content))


def write_events(path: Path, tags: dict[str, tuple[np.ndarray, np.ndarray]], new: bool) -> None:
    """A TensorBoard event file: tag -> (steps, values); `new` writes tensors, not simple values."""
    clock = varint(1 << 3 | 1) + struct.pack("<d", 1.7e9)
    data = event_record(clock + message(3, b"brain.Event:2"))
    for tag, (steps, values) in tags.items():
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            if new:
                tensor = b"\x08\x01" + message(2, b"") + message(4, struct.pack("<f", value))
                scalar = message(8, tensor)
            else:
                scalar = varint(2 << 3 | 5) + struct.pack("<f", value)
            summary = message(1, message(1, tag.encode()) + scalar)
            data += event_record(clock + b"\x10" + varint(step) + message(5, summary))
    path.write_bytes(data)


def corpus(folder: Path) -> dict[str, tuple[Run, dict[str, Any]]]:
    """Write one small log of every format.

    Returns:
        File name -> the run in it, and the arguments with which it is to be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tooth = make("sawtooth", 1, steps_per_epoch=60, epochs=6, size=3)
    coarse = make("sawtooth", 2, steps_per_epoch=300, epochs=4, every=10, averaged=True, size=4)
    smooth_run = make("smooth", 3, steps_per_epoch=60, epochs=6)
    fixed = make("fixed order", 4, steps_per_epoch=60, epochs=6)
    schedule = make("schedule", 5, steps_per_epoch=40, epochs=10, size=8, detail=1)
    running = make("running average", 6, steps_per_epoch=60, epochs=6)
    staircase = make("staircase", 7, steps_per_epoch=60, epochs=6, size=6)
    files: dict[str, tuple[Run, dict[str, Any]]] = {}

    def add(name: str, run: Run, **read: object) -> Path:
        files[name] = (run, read)
        return folder / name

    path = add("steps.csv", smooth_run)
    write_csv(path, {"step": smooth_run.steps, "loss": smooth_run.loss})
    assert schedule.learning_rate is not None
    columns = {"iteration": schedule.steps, "train_loss": schedule.loss,
               "lr": schedule.learning_rate, "epoch": (schedule.steps - 1) // 40}  # fmt: skip
    write_csv(add("schedule.tsv", schedule), columns, "\t")
    np.savetxt(add("savetxt.txt", tooth), np.stack([tooth.steps, tooth.loss], axis=1),
               header="step loss", fmt="%.6g")  # fmt: skip
    np.savetxt(add("losses.txt", coarse, log_every=10), coarse.loss, fmt="%.5f")
    write_json_lines(add("log.jsonl", fixed), fixed)
    write_trainer_state(add("trainer_state.json", coarse), coarse)
    write_trainer_state(add("trainer_state_new.json", coarse), coarse, None)
    write_lightning(add("metrics.csv", tooth), tooth)
    write_wandb(add("wandb_export.csv", staircase), {"warm-sun-1": staircase, "b - 2": tooth})
    for style, run in (("plain", tooth), ("nanogpt", smooth_run), ("keras", running),
                       ("tqdm", running), ("pytorch", tooth), ("megatron", coarse),
                       ("dict", coarse)):  # fmt: skip
        read = {"log_every": 10} if style == "dict" else {}
        write_text(add(f"{style}.log", run, **read), run, style)
    history = {"loss": [1.2, 0.9, 0.8, 0.75, 0.7], "val_loss": [1.1, 1.0, 0.95, 1.0, 1.05]}
    add("history.json", Run("smooth", np.arange(1, 6), np.array(history["loss"]), 1)).write_text(
        json.dumps(history), encoding="utf8"
    )
    epoch = tooth.steps[::20], tooth.steps[::20] / 60
    tags = {"train/loss": (tooth.steps, tooth.loss), "train/epoch": epoch}
    write_events(add("events.out.tfevents.1", tooth), tags, False)
    write_events(add("events.out.tfevents.2", fixed), {"loss": (fixed.steps, fixed.loss)}, True)
    cut = tooth.steps <= 200
    again = np.concatenate([np.flatnonzero(cut), np.flatnonzero(tooth.steps > 150)])
    loss = tooth.loss.copy()
    loss[40] = np.nan
    resumed = [f"{tooth.steps[i]};{'nan' if i == 40 else cell(loss[i])}" for i in again]
    resumed_loss = np.delete(tooth.loss, 40)
    path = add("resumed.csv", Run("sawtooth", np.delete(tooth.steps, 40), resumed_loss, 60))
    path.write_text("step;loss\n" + "\n".join(resumed) + "\n", encoding="utf-8-sig")
    return files
