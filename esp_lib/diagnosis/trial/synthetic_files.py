"""Labelled synthetic runs as the files that training scripts leave behind, of every format read.

`corpus` writes one small file of each. The formats are written after the programs' own output and
documentation; TensorBoard's records after the protocol buffers `Event` and `Summary` of TensorFlow.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from esp_lib.diagnosis.trial.synthetic import LabelledRun, make


def cell(value: float) -> str:
    """A number as a log has it: an empty cell for NaN."""
    return "" if np.isnan(value) else f"{value:.6g}"


def csv_text(columns: dict[str, Any], delimiter: str = ",") -> str:
    """A table with a header; NaN is an empty cell."""
    rows = zip(*columns.values(), strict=True)
    lines = [delimiter.join(columns), *(delimiter.join(map(cell, row)) for row in rows)]
    return "\n".join(lines) + "\n"


def json_lines(run: LabelledRun) -> str:
    """One object a line."""
    rows = zip(run.steps.tolist(), run.loss.tolist(), strict=True)
    lines = [json.dumps({"step": step, "loss": round(loss, 5)}) for step, loss in rows]
    return "\n".join(lines) + "\n"


def trainer_state(run: LabelledRun, decimals: int | None = 2) -> str:
    """The Hugging Face Trainer's state, with a validation loss after each epoch.

    Args:
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
    return json.dumps(state, indent=2) + "\n"


def lightning(run: LabelledRun) -> str:
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
    return csv_text(dict(zip(names, zip(*rows, strict=True), strict=True)))


def wandb(runs: dict[str, LabelledRun]) -> str:
    """A Weights & Biases export of one panel with several runs."""
    steps = next(iter(runs.values())).steps
    columns: dict[str, Any] = {'"Step"': steps}
    for name, run in runs.items():
        for end in ("", "__MIN", "__MAX"):
            columns[f'"{name} - train/loss{end}"'] = run.loss
    return csv_text(columns)


def printed(run: LabelledRun, style: str) -> str:
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
    return "".join(lines)


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


def events(tags: dict[str, tuple[Any, Any]], new: bool) -> bytes:
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
    return data


def corpus(folder: Path) -> dict[str, tuple[LabelledRun, dict[str, Any]]]:
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
    files: dict[str, tuple[LabelledRun, dict[str, Any]]] = {}

    def add(name: str, run: LabelledRun, content: str | bytes, **read: object) -> None:
        files[name] = (run, read)
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)

    add("steps.csv", smooth_run, csv_text({"step": smooth_run.steps, "loss": smooth_run.loss}))
    assert schedule.learning_rate is not None
    columns = {"iteration": schedule.steps, "train_loss": schedule.loss,
               "lr": schedule.learning_rate, "epoch": (schedule.steps - 1) // 40}  # fmt: skip
    add("schedule.tsv", schedule, csv_text(columns, "\t"))
    rows = zip(tooth.steps.tolist(), tooth.loss.tolist(), strict=True)
    spaced = "".join(f"{step:.6g} {loss:.6g}\n" for step, loss in rows)
    add("savetxt.txt", tooth, "# step loss\n" + spaced)
    losses = "".join(f"{loss:.5f}\n" for loss in coarse.loss.tolist())
    add("losses.txt", coarse, losses, log_every=10)
    add("log.jsonl", fixed, json_lines(fixed))
    add("trainer_state.json", coarse, trainer_state(coarse))
    add("trainer_state_new.json", coarse, trainer_state(coarse, None))
    add("metrics.csv", tooth, lightning(tooth))
    add("wandb_export.csv", staircase, wandb({"warm-sun-1": staircase, "b - 2": tooth}))
    for style, run in (("plain", tooth), ("nanogpt", smooth_run), ("keras", running),
                       ("tqdm", running), ("pytorch", tooth), ("megatron", coarse),
                       ("dict", coarse)):  # fmt: skip
        read = {"log_every": 10} if style == "dict" else {}
        add(f"{style}.log", run, printed(run, style), **read)
    history = {"loss": [1.2, 0.9, 0.8, 0.75, 0.7], "val_loss": [1.1, 1.0, 0.95, 1.0, 1.05]}
    short = LabelledRun("smooth", np.arange(1, 6), np.array(history["loss"]), 1)
    add("history.json", short, json.dumps(history))
    epoch = tooth.steps[::20], tooth.steps[::20] / 60
    tags = {"train/loss": (tooth.steps, tooth.loss), "train/epoch": epoch}
    add("events.out.tfevents.1", tooth, events(tags, False))
    add("events.out.tfevents.2", fixed, events({"loss": (fixed.steps, fixed.loss)}, True))
    cut = tooth.steps <= 200
    again = np.concatenate([np.flatnonzero(cut), np.flatnonzero(tooth.steps > 150)])
    loss = tooth.loss.copy()
    loss[40] = np.nan
    resumed = [f"{tooth.steps[i]};{'nan' if i == 40 else cell(loss[i])}" for i in again]
    kept = LabelledRun("sawtooth", np.delete(tooth.steps, 40), np.delete(tooth.loss, 40), 60)
    text = "\ufeffstep;loss\n" + "\n".join(resumed) + "\n"
    add("resumed.csv", kept, text)
    return files
