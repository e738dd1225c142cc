"""How fast BERT-tiny trains: steps a second, against the published script and the machine's peak.

Run with `python -m benchmarks.pretraining [--device cuda] [--published PATH/bert.py]`; it prints
its tables and writes them into the device's section of `benchmarks/pretraining.md`. The training
step is that of `esp_lib.bert.trainer` at the paper's sizes, on WikiText-2 if ESP_DATA names a
folder that holds it, else on random pairs of the same shape. The published script
(ESP_PUBLISHED_BERT, or `--published`) trains on the same pairs in turn with ours. On a CPU the
defaults take a minute or two; on a GPU every precision is timed with the step captured as a CUDA
graph and without.
"""

import argparse
import os
import re
import statistics
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks import _page
from benchmarks._published import load_script
from benchmarks._rates import ON_CPU, Timing, Variant, at_once, find_pairs, in_turn, prepare
from benchmarks._roofline import Peak, find_peak, least_seconds, step_bytes, step_flops
from esp_lib import _checks
from esp_lib._device import check_device
from esp_lib.bert import ablations
from esp_lib.bert.checkpoint import save_checkpoint
from esp_lib.bert.config import PretrainConfig
from esp_lib.bert.recorder import Recorder
from esp_lib.bert.trainer import Training

TABLE = Path(__file__).with_suffix(".md")


# ------------------------------------------------------------------------------------ expectations


def expect_run(training: Training, rate: float) -> dict[str, float]:
    """Seconds of a whole run: its steps, its validations and its checkpoints."""
    config = training.config
    recorder = Recorder(config, training)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        write = (path, "benchmark", 1, {"seconds": 0.0}, training, recorder)
        checkpoint = _page.median_seconds(lambda: save_checkpoint(*write), 3)
    validation = _page.median_seconds(training.validate, 3)  # its losses are on the CPU: it is done
    return {
        "steps": config.steps / rate,
        "validations": validation * (config.steps // config.validate_every),
        "checkpoints": checkpoint * config.epochs,
    }


def predictions(training: Training) -> float:
    """Hidden words told in a step, K; those without weight among them where shapes are fixed."""
    weights = training.pairs.weights  # (pairs, P)
    each = weights.size(1) if training.device.type == "cuda" else float(weights.sum(1).mean())
    return training.config.batch_size * each


def sweep_runs(config: PretrainConfig, told: float) -> tuple[int, float]:
    """Runs of profile "paper", and their FLOPs in runs of its baseline; `told` is a step's K."""

    def flops(c: PretrainConfig) -> float:
        return c.steps * step_flops(c, told * c.batch_size / config.batch_size)

    jobs = ablations.jobs("paper")
    return len(jobs), sum(flops(job.config) for job in jobs) / flops(config)


# ------------------------------------------------------------------------------------------ tables


def measure(
    device: str,
    timing: Timing,
    published: Path | None = None,
    peak: Peak | None = None,
    config: PretrainConfig | None = None,
) -> dict[str, Any]:
    """Everything that the tables say.

    Args:
        device: "cpu", "cuda" or "cuda:<number>".
        timing: how much is timed.
        published: the published script, or None.
        peak: of the device; by default from its data sheet, or measured.
        config: the run; by default the paper's, with its 30,000 sub-words.
    """
    if config is None:
        jobs = ablations.jobs("paper")
        config = next(job.config for job in jobs if job.name == "vocabulary-30000")
    _checks.integer("repeats", timing.repeats, low=1)
    longest = config.steps_per_epoch - timing.warm_up
    _checks.integer("steps", timing.steps, low=1, high=longest)
    place = check_device(device)
    script = load_script(published.resolve()) if published else None
    on_gpu = place.type == "cuda"
    variants = [Variant("float32", False)]
    if on_gpu:
        variants = [Variant(p, g) for p in ("float32", "bfloat16") for g in (True, False)]
    best = Variant("bfloat16", True) if on_gpu else variants[0]
    corpus, data = find_pairs(config)
    trainings = {v.label: prepare(config, v, corpus, place) for v in variants}
    rates = in_turn(trainings, script, timing)
    median = {label: statistics.median(found) for label, found in rates.items()}
    theirs = rates.get("published script")
    told = predictions(trainings[best.label])
    peak = peak or find_peak(place, [v.precision for v in variants])
    rows = []
    for label, found in rates.items():
        ours = trainings.get(label)
        least = least_seconds(ours.config, told, peak) if ours else None
        ratios = [a / b for a, b in zip(found, theirs, strict=True)] if theirs else None
        rows.append({
            "step": label,
            "steps_a_second": median[label],
            "rates": found,
            "times_published": statistics.median(ratios) if ratios else None,
            "share_of_roofline": least * median[label] if least else None,
        })  # fmt: skip
    count, runs = sweep_runs(config, told)
    expected = expect_run(trainings[best.label], median[best.label])
    counted = {
        v.precision: {
            "flops": step_flops(trainings[v.label].config, told),
            "bytes": step_bytes(trainings[v.label].config, told),
            "peak_flops": peak.flops[v.precision],
        }
        for v in variants
    }
    del trainings, ours
    together = {n: at_once(config, best, device, n, timing) for n in timing.at_once}
    return {
        "data": data,
        "timing": asdict(timing),
        "rates": rows,
        "predictions_a_step": told,
        "counted": counted,
        "bandwidth": peak.bandwidth,
        "peak": peak.source,
        "best": best.label,
        "run": {"epochs": config.epochs, "steps": config.steps, "seconds": expected},
        "sweep": {"runs": count, "baselines": runs, "seconds": runs * sum(expected.values())},
        "at_once": together,
        "made": _page.made(device),
    }


def tables(found: dict[str, Any]) -> str:
    """What was measured, in Markdown."""
    timing, run, sweep = found["timing"], found["run"], found["sweep"]
    rows = []
    for row in found["rates"]:
        times, share = row["times_published"], row["share_of_roofline"]
        told = [f"{times:.2f}" if times else "", f"{share:.0%}" if share else ""]
        rows.append([row["step"], f"{row['steps_a_second']:.4g}", *told])
    head = ["training step", "steps a second", "times the published script"]
    lines = _page.table([*head, "share of the roofline"], rows)
    if not any(row["times_published"] for row in found["rates"]):
        lines += ["The published script was not given.", ""]
    rows = []
    for precision, c in found["counted"].items():
        arithmetic, traffic = c["flops"] / c["peak_flops"], c["bytes"] / found["bandwidth"]
        rows.append([
            f"{precision}, {found['predictions_a_step']:.0f} hidden words",
            f"{c['flops'] / 1e9:.1f}",
            f"{1e3 * arithmetic:.3g} ms at {c['peak_flops'] / 1e12:.3g} TFLOP/s",
            f"{c['bytes'] / 1e6:.0f}",
            f"{1e3 * traffic:.3g} ms at {found['bandwidth'] / 1e9:,.0f} GB/s",
        ])  # fmt: skip
    head = ["one step", "GFLOPs", "at the peak", "MB moved", "at the bandwidth"]
    lines += _page.table(head, rows)
    rows = [[str(n), f"{rate:.4g}"] for n, rate in found["at_once"].items()]
    if rows:
        lines += _page.table(["runs at once", "steps a second in all"], rows)
    seconds = run["seconds"]
    lines += [
        f"Expected of {found['best']}: a run of {run['epochs']} epochs, {run['steps']:,} steps, "
        f"takes **{duration(sum(seconds.values()))}** (steps {duration(seconds['steps'])}, "
        f"validations {duration(seconds['validations'])}, checkpoints "
        f"{duration(seconds['checkpoints'])}); the {sweep['runs']} runs of profile “paper”, one "
        f"after the other, {duration(sweep['seconds'])}, if their time goes as their FLOPs, which "
        f"are those of {sweep['baselines']:.1f} baselines.",
        "",
        f"Medians of {timing['repeats']} rounds of {timing['steps']} steps after "
        f"{timing['warm_up']}, on {found['data']}; peak of the device: {found['peak']}. "
        f"{found['made']}",
    ]
    return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    """`seconds` for reading."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def fill_in(document: str, section: str, text: str) -> str:
    """The document with another text in one of its sections, between the section's two marks."""
    marks = rf"(<!-- {section}: begin -->\n).*(<!-- {section}: end -->)"
    return re.sub(marks, lambda m: m[1] + "\n" + text + "\n" + m[2], document, flags=re.S)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description="How fast BERT-tiny trains.")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:<number>")
    published = os.environ.get("ESP_PUBLISHED_BERT")
    parser.add_argument("--published", type=Path, default=published, metavar="PATH/bert.py")
    parser.add_argument("--steps", type=int, help="timed steps in a round")
    parser.add_argument("--repeats", type=int, help="rounds")
    parser.add_argument("--no-write", action="store_true", help="leave the file of tables as it is")
    options = parser.parse_args(arguments)
    timing = Timing() if options.device.startswith("cuda") else ON_CPU
    timing = replace(
        timing,
        steps=timing.steps if options.steps is None else options.steps,
        repeats=timing.repeats if options.repeats is None else options.repeats,
    )
    try:
        found = measure(options.device, timing, options.published)
    except ValueError as error:
        parser.error(str(error))
    text = tables(found)
    print(text)
    if not options.no_write:
        section = "gpu" if options.device.startswith("cuda") else "cpu"
        document = TABLE.read_text(encoding="utf8")
        TABLE.write_text(fill_in(document, section, text), encoding="utf8")


if __name__ == "__main__":
    main()
