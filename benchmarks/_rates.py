"""Steps a second: of our training step, of several runs at once, of the published script in turn.

The step is that of `esp_lib.bert.trainer`, without validation, probes or checkpoints. Times end
when the device has done the work.
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier
from types import ModuleType

import numpy as np
import torch

from benchmarks._published import published_rate
from benchmarks._roofline import synchronize
from esp_lib._device import check_device
from esp_lib.bert.config import PretrainConfig
from esp_lib.bert.corpus import CLS, PAD, SEP, Corpus, Pairs, make_corpus
from esp_lib.bert.distributed import Processes
from esp_lib.bert.trainer import Training

SHORTEST = 17  # tokens in a random pair; their mean length is then WikiText-2's, 53


@dataclass(frozen=True)
class Timing:
    """How much is timed; the defaults are for a GPU."""

    steps: int = 500
    repeats: int = 5
    warm_up: int = 6  # steps; the graph is captured in the fourth
    at_once: tuple[int, ...] = (1, 2, 4)


ON_CPU = Timing(steps=5, repeats=3, warm_up=2, at_once=(1, 2))


@dataclass(frozen=True)
class Variant:
    """One way of ours to take a step."""

    precision: str
    graph: bool  # captured as a CUDA graph

    @property
    def label(self) -> str:
        return f"ours, {self.precision}" + (", CUDA graph" if self.graph else "")


# ------------------------------------------------------------------------------------------ pairs


def find_pairs(config: PretrainConfig) -> tuple[Corpus, str]:
    """The pairs to train on, and what they are."""
    if os.environ.get("ESP_DATA"):
        return make_corpus(config.corpus), "WikiText-2"
    return random_corpus(config), "random pairs of WikiText-2's shape"


def random_corpus(config: PretrainConfig) -> Corpus:
    """Pairs of random tokens, as many and about as long as the configuration's."""
    rng = np.random.default_rng(0)
    L, V = config.corpus.max_len, config.corpus.vocabulary

    def draw(n: int) -> Pairs:
        lengths = rng.integers(min(SHORTEST, L), L + 1, n, dtype=np.int32)
        middle, column = lengths // 2, np.arange(L)
        tokens = rng.integers(SEP + 2, V, (n, L), dtype=np.int32)  # no special ones
        tokens[:, 0] = CLS
        tokens[np.arange(n), middle] = SEP
        tokens[np.arange(n), lengths - 1] = SEP
        tokens[column >= lengths[:, None]] = PAD
        second = (column > middle[:, None]) & (column < lengths[:, None])
        is_next = rng.integers(2, size=n, dtype=np.int32)
        return Pairs(tokens, second.astype(np.int32), lengths, is_next)

    train, valid = draw(config.corpus.pairs), draw(config.corpus.valid_pairs)
    return Corpus(train, valid, tuple(map(str, range(V))), "")


# ------------------------------------------------------------------------------------------- rates


def prepare(config: PretrainConfig, variant: Variant, corpus: Corpus, device: torch.device):
    """A run that is ready for its first step."""
    training = Training(replace(config, precision=variant.precision), corpus, device, Processes())
    if not variant.graph:
        training._stream = None  # which is what a device without graphs has
    return training


def run_steps(training: Training, timing: Timing, barrier: "Barrier | None" = None):
    """When the timed steps began and when the device had done them, on the machine's clock."""
    training.begin(0)
    for _ in range(timing.warm_up):
        training.step(training.config.lr)
    synchronize(training.device)
    if barrier is not None:
        barrier.wait(600)
    began = time.perf_counter()
    for _ in range(timing.steps):
        training.step(training.config.lr)
    synchronize(training.device)
    return began, time.perf_counter()


def in_turn(
    trainings: dict[str, Training], script: ModuleType | None, timing: Timing
) -> dict[str, list[float]]:
    """Steps a second of each variant and of the published script, round after round."""
    rates: dict[str, list[float]] = {label: [] for label in trainings}
    for _ in range(timing.repeats):
        for label, training in trainings.items():
            began, ended = run_steps(training, timing)
            rates[label].append(timing.steps / (ended - began))
        if script is not None:
            rate = published_rate(
                script,
                training.config,
                training.pairs,
                training.device,
                warm_up=timing.warm_up,
                steps=timing.steps,
            )
            rates.setdefault("published script", []).append(rate)
    return rates


def at_once(config: PretrainConfig, variant: Variant, device: str, count: int, timing: Timing):
    """Steps a second in all of `count` processes that train together, on random pairs."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count)
    with ProcessPoolExecutor(count, context, _keep_barrier, (barrier,)) as pool:
        task = (config, variant, device, timing)
        spans = [f.result() for f in [pool.submit(_train_beside, *task) for _ in range(count)]]
    seconds = max(ended for _, ended in spans) - min(began for began, _ in spans)
    return count * timing.steps / seconds


_barrier: "Barrier | None" = None


def _keep_barrier(barrier: "Barrier") -> None:
    global _barrier
    _barrier = barrier


def _train_beside(config: PretrainConfig, variant: Variant, device: str, timing: Timing):
    if device == "cpu":
        torch.set_num_threads(1)  # as in `ablations.train_job`
    training = prepare(config, variant, random_corpus(config), check_device(device))
    return run_steps(training, timing, _barrier)
