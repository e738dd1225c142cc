"""Fine-tune a pre-trained network many times: one set of first weights, many orders of the data.

Source: Dodge et al., "Fine-Tuning Pretrained Language Models: Weight Initializations, Data Orders,
and Early Stopping" (arXiv 2002.06305, 2020). An episode is one fine-tuning; two seeds determine it:
that of the new layer's first weights and that of the order of the data. There is no dropout, so
nothing else is random. One run has one seed of the first weights and several data orders. Its
episodes may be trained together (`torch.func.vmap` over stacked weights), which fills a GPU.

Dimensions: E episodes trained together, B examples in a batch, L tokens in an example.
"""

import hashlib
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from esp_lib._device import check_device
from esp_lib.bert.config import BertConfig
from esp_lib.bert.model import Bert
from esp_lib.finetuning.config import EpisodesConfig, FinetuneConfig
from esp_lib.finetuning.glue import Examples, Task, make_task
from esp_lib.records.checkpoint import locked, read_state, write_state
from esp_lib.records.record import RunRecord, config_key, made_by
from esp_lib.sampling.orders import make_order

RESOLUTION = 2.0**-14  # nats: logged losses are rounded to it, so that records stay small
NEW_WEIGHTS = 0.02  # standard deviation, as in BERT
EVALUATION_BATCH = 128  # examples


class Classifier(nn.Module):
    """The pre-trained encoder, the mean over tokens, a tanh layer, a linear layer to two classes.

    BERT reads `<cls>` instead of the mean; a network as small as ours has hardly learned to gather
    a sentence there.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = Bert(replace(config, dropout=0.0))
        self.bert.mlm = nn.Identity()  # type: ignore[assignment]  # not needed here

    def forward(self, tokens: Tensor, segments: Tensor, lengths: Tensor) -> Tensor:
        """(B, L), (B, L), (B,) -> (B, 2)."""
        x = self.bert.encode(tokens, segments, lengths)  # (B, L, H)
        filled = torch.arange(x.size(1), device=x.device) < lengths[:, None]  # (B, L)
        mean = (x * filled[..., None]).sum(dim=1) / lengths[:, None]  # (B, H)
        scores: Tensor = self.bert.nsp(mean)
        return scores


class Inputs(NamedTuple):
    """`glue.Examples` on a device."""

    tokens: Tensor  # (..., L) int64
    segments: Tensor  # (..., L) int64
    lengths: Tensor  # (...,) int64
    label: Tensor  # (...,) int64

    def take(self, rows: Tensor) -> "Inputs":
        """Some examples, without the padding that all of them have."""
        longest = int(self.lengths[rows].max())
        tokens, segments = (part[rows][..., :longest] for part in self[:2])
        return Inputs(tokens, segments, self.lengths[rows], self.label[rows])


class Networks:
    """E episodes that are trained together.

    Attributes:
        weights: name -> (E, ...), the trained numbers of all episodes.
    """

    def __init__(self, first: dict[str, Tensor], config: FinetuneConfig, together: int) -> None:
        self._network = Classifier(config.pretraining.model)
        self.weights = {
            name: value.expand(together, *value.shape).clone().requires_grad_()
            for name, value in first.items()
        }
        self._optimizer = torch.optim.AdamW(
            list(self.weights.values()),
            config.lr,
            (config.beta1, config.beta2),
            config.eps,
            config.weight_decay,
            fused=True,
        )

    def scores(self, batch: Inputs, own: bool) -> Tensor:
        """(E, B, 2): of one batch for each episode, (E, B, L), or of the same for all, (B, L)."""

        def one(weights: dict[str, Tensor], *inputs: Tensor) -> Tensor:
            scores: Tensor = functional_call(self._network, weights, inputs)
            return scores

        with sdpa_kernel(SDPBackend.MATH):  # vmap has no rule for the fused kernels
            inputs_of = 0 if own else None
            episodes = vmap(one, in_dims=(0, inputs_of, inputs_of, inputs_of))
            scores: Tensor = episodes(self.weights, *batch[:3])
            return scores

    def step(self, batch: Inputs, lr: float) -> Tensor:
        """Train each episode on its batch; returns the losses before it, (E,) in nats."""
        scores = self.scores(batch, own=True)  # (E, B, 2)
        each = functional.cross_entropy(scores.movedim(-1, 1), batch.label, reduction="none")
        losses = each.mean(dim=1)
        self._optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        self._optimizer.step()
        return losses.detach()

    @torch.no_grad()
    def evaluate(self, examples: Inputs) -> tuple[Tensor, Tensor]:
        """Mean loss, (E,), and which of the n examples are called 1, (E, n) bool."""
        by_length = examples.lengths.argsort()
        losses, ones = [], []
        for rows in torch.split(by_length, EVALUATION_BATCH):
            batch = examples.take(rows)
            scores = self.scores(batch, own=False)  # (E, B, 2)
            label = batch.label.expand(len(scores), -1)
            losses.append(functional.cross_entropy(scores.movedim(-1, 1), label, reduction="none"))
            ones.append(scores[..., 1] > scores[..., 0])
        back = by_length.argsort()
        return torch.cat(losses, dim=1).mean(dim=1), torch.cat(ones, dim=1)[:, back]

    def digests(self) -> NDArray[np.uint8]:
        """(E, 32) SHA-256 of each episode's weights."""
        made = [hashlib.sha256() for _ in next(iter(self.weights.values()))]
        for name in sorted(self.weights):
            for digest, value in zip(made, self.weights[name].detach().cpu(), strict=True):
                digest.update(value.numpy().tobytes())
        return np.array([list(digest.digest()) for digest in made], np.uint8)


def finetune(
    config: FinetuneConfig,
    weights: dict[str, Tensor],
    device: str = "cpu",
    *,
    name: str = "run",
    profile: str = "cpu",
    checkpoint: Path | None = None,
) -> RunRecord:
    """Train all episodes of a run.

    Args:
        config: the run.
        weights: of the pre-trained network, from `load_weights`.
        device: "cpu", "cuda" or "cuda:<number>". On a CPU episodes are trained one by one, so that
            each is the same whatever others there are; on a GPU all together.
        name: of the record.
        profile: of the record.
        checkpoint: file that keeps the episodes that have ended; if it is there, the run goes on
            from it. It stays: delete it when the record is on disk, as `sweep` does.

    Returns:
        A record with the arrays

        - train_loss: (order_seeds, steps) float32, of each batch before its update, in nats.
        - valid_step: (points,) int32, updates before each evaluation.
        - valid_loss: (order_seeds, points) float32, mean over all validation examples, in nats.
        - predicted: (order_seeds, points, bytes) uint8, which examples were called 1, by
          `numpy.packbits`; `unpack` reads it.
        - label: (examples,) uint8, what the validation examples are.
        - digest: (order_seeds, epochs, 32) uint8, SHA-256 of all weights after each epoch.

        Its status is "diverged" if a loss is not finite.

    Raises:
        ValueError: no such device here, too few examples, or weights of another network.
        FileNotFoundError, ConnectionError: the task cannot be read.
        RuntimeError: another process trains with this checkpoint.
        FolderError: the checkpoint cannot be written, e.g. since the disk is full.
    """
    place = check_device(device)
    task = make_task(config.task, config.pretraining.corpus, config.max_len)
    if len(task.train.label) < config.examples:
        raise ValueError(
            f"examples must be at most {len(task.train.label)} for {config.task}, "
            f"got {config.examples}"
        )
    started = time.perf_counter()
    first = first_weights(config, weights)
    size = config.order_seeds if place.type == "cuda" else 1
    groups = [range(config.order_seeds)[i : i + size] for i in range(0, config.order_seeds, size)]
    made = {"task": task.sha256, "weights": digest_of(weights)}
    key = config_key({**asdict(config), **made, "together": size})
    with locked(checkpoint):
        state = read_state(checkpoint, key) if checkpoint else None
        parts = (
            [{n: v.numpy() for n, v in part.items()} for part in state["parts"]] if state else []
        )
        before = state["seconds"] if state else 0.0
        for seeds in groups[len(parts) :]:
            parts.append(_train_together(config, first, task, list(seeds), place))
            if checkpoint:
                done = [{n: torch.from_numpy(v) for n, v in part.items()} for part in parts]
                seconds = before + time.perf_counter() - started
                write_state(checkpoint, {"run": key, "seconds": seconds, "parts": done})
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    bad = ~np.isfinite(arrays["train_loss"]).all(axis=1)
    return RunRecord(
        name=name,
        profile=profile,
        seed=config.seed,
        config={**asdict(config), "steps_per_epoch": config.steps_per_epoch},
        arrays={
            **arrays,
            "valid_step": np.array(evaluation_steps(config), np.int32),
            "label": task.valid.label.astype(np.uint8),
        },
        made={
            **made_by(str(place), before + time.perf_counter() - started),
            **made,
        },
        status="diverged" if bad.any() else "finished",
        message=f"not finite for data orders {np.flatnonzero(bad).tolist()}" if bad.any() else "",
    )


def _train_together(
    config: FinetuneConfig,
    first: dict[str, Tensor],
    task: Task,
    seeds: list[int],
    device: torch.device,
) -> dict[str, NDArray[Any]]:
    episodes = Networks({k: v.to(device) for k, v in first.items()}, config, len(seeds))
    train, valid = (_on_device(examples, device) for examples in (task.train, task.valid))
    order = torch.from_numpy(_orders(config, seeds).astype(np.int64)).to(device)  # (E, steps, B)
    asked = set(evaluation_steps(config))
    losses, valid_losses, predicted, digests = [], [], [], []
    for step in range(config.steps):
        batch = train.take(order[:, step])
        losses.append(episodes.step(batch, learning_rate(config, step)))
        if step + 1 in asked:
            loss, ones = episodes.evaluate(valid)
            valid_losses.append(loss)
            predicted.append(np.packbits(ones.cpu().numpy(), axis=-1))
        if (step + 1) % config.steps_per_epoch == 0:
            digests.append(episodes.digests())
    return {
        "train_loss": _rounded(torch.stack(losses, dim=1)),
        "valid_loss": _rounded(torch.stack(valid_losses, dim=1)),
        "predicted": np.stack(predicted, axis=1),
        "digest": np.stack(digests, axis=1),
    }


def evaluation_steps(config: EpisodesConfig) -> list[int]:
    """Updates before each evaluation: at equal distances, the last at the end of the epoch."""
    places = np.linspace(0, config.steps_per_epoch, config.evaluations + 1)[1:]
    within = np.rint(places).astype(int)
    starts = np.arange(config.epochs) * config.steps_per_epoch
    steps: list[int] = (starts[:, None] + within).ravel().tolist()
    return steps


def learning_rate(config: EpisodesConfig, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    if config.schedule == "constant":
        return config.lr
    rising = config.warm_up * config.steps
    if step + 1 < rising:
        return config.lr * (step + 1) / rising
    return config.lr * (config.steps - step) / (config.steps - max(rising - 1, 0))


def first_weights(config: FinetuneConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that every episode of a run starts from: pre-trained, but for a new last layer.

    Raises:
        ValueError: the weights are of another network.
    """
    network = Classifier(config.pretraining.model)
    taken = {f"bert.{name}": v for name, v in weights.items() if not name.startswith("mlm.")}
    try:
        network.load_state_dict(taken)
    except RuntimeError as error:
        raise ValueError(f"weights must be of config.pretraining.model: {error}") from None
    random = torch.Generator().manual_seed(config.seed)
    made = {name: value.detach() for name, value in network.named_parameters()}
    shape = made["bert.nsp.2.weight"].shape
    made["bert.nsp.2.weight"] = torch.randn(shape, generator=random) * NEW_WEIGHTS
    made["bert.nsp.2.bias"] = torch.zeros_like(made["bert.nsp.2.bias"])
    return made


def load_weights(path: Path) -> dict[str, Tensor]:
    """The weights that `pretrain` wrote; FileNotFoundError or ValueError if there are none."""
    if not path.is_file():
        raise FileNotFoundError(f"no weights of a pre-trained network at {path}")
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))  # runs no code
    except Exception as error:  # of many kinds for a damaged file
        raise ValueError(f"{path} holds no weights, or damaged ones: delete it") from error


def digest_of(weights: dict[str, Tensor]) -> str:
    """SHA-256 of a network's weights."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(weights[name].numpy().tobytes())
    return digest.hexdigest()


def _orders(config: FinetuneConfig, seeds: list[int]) -> NDArray[np.int32]:
    """(E, steps, B) which examples each episode visits."""
    orders = [
        make_order(
            "reshuffle",
            num_functions=config.examples,
            epochs=config.epochs,
            batch_size=config.batch_size,
            seed=seed,
        )
        for seed in seeds
    ]
    return np.stack(orders).reshape(len(seeds), config.steps, config.batch_size)


def _on_device(examples: Examples, device: torch.device) -> Inputs:
    return Inputs(*(torch.from_numpy(part.astype(np.int64)).to(device) for part in examples))


def _rounded(values: Tensor) -> NDArray[np.float32]:
    array = values.cpu().numpy()
    return (np.round(array / RESOLUTION) * RESOLUTION).astype(np.float32)
