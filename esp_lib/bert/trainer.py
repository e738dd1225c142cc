"""One training step of the paper's BERT, on whatever device, without waiting for it.

Everything a step reads lies on the device: the pairs, the order of the epoch, the place in it. So
the step needs nothing from the host, and on a GPU it is captured once as a CUDA graph
(https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs) and replayed.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from esp_lib.bert.config import PretrainConfig
from esp_lib.bert.corpus import Corpus, Masks, Pairs, mask
from esp_lib.bert.distributed import Processes
from esp_lib.bert.model import Batch, Bert, losses, right
from esp_lib.sampling.orders import make_order

GRAPH_OPTIMIZERS = ("adam", "adamw")  # their update can be captured
WARM_UP = 3  # steps before capture, so that every buffer exists
MASK_STREAM = 1  # second word of the seed of a masking; the third is the epoch
EVALUATION_BATCH = 128  # pairs


class Training:
    """Network, optimizer and data of one run; `step` trains on the next batch.

    Attributes:
        precision: "float32" or "bfloat16".
        network: the model.
        optimizer: its optimizer.
        log: (steps_per_epoch, 2) float32 on the device: MLM and NSP loss of this epoch's batches.
        single: (steps_per_epoch, batch) float32: MLM loss of each of their pairs, the mean over its
            hidden words; NaN if it has none.
        order: (epochs, steps_per_epoch, batch) which pair each step visits.
    """

    def __init__(
        self, config: PretrainConfig, corpus: Corpus, device: torch.device, processes: Processes
    ) -> None:
        self.config, self.device, self.processes = config, device, processes
        on_its_own = "bfloat16" if device.type == "cuda" else "float32"
        self.precision = on_its_own if config.precision == "auto" else config.precision
        steps, B = config.steps_per_epoch, config.batch_size
        torch.manual_seed(config.seed)
        self.network = Bert(config.model).to(device)
        self.optimizer = make_optimizer(config, self.network, device)
        self.order = make_order(
            config.order,
            num_functions=config.corpus.pairs,
            epochs=config.epochs,
            batch_size=B,
            seed=config.seed,
        ).reshape(config.epochs, steps, B)
        self._train, self._vocabulary = corpus.train, len(corpus.vocabulary)
        self.pairs = on_device(corpus.train, self._masks(corpus.train, 0), device)
        valid = Pairs(*(field[: config.validation_pairs] for field in corpus.valid))
        # the same masks whatever the run's seed: validation losses can be compared
        self.valid = on_device(valid, mask(valid, self._vocabulary, [0]), device)
        probed = slice(0, min(config.probe_pairs, config.corpus.pairs))
        self.probed = Batch(*(field[probed].clone() for field in self.pairs))
        self.log = torch.zeros(steps, 2, device=device)
        self.single = torch.zeros(steps, B, device=device)
        self._at = torch.zeros(1, dtype=torch.int64, device=device)  # step within the epoch
        self._visits = torch.zeros(steps, B, dtype=torch.int64, device=device)
        captured = device.type == "cuda" and config.optimizer in GRAPH_OPTIMIZERS
        self._stream = torch.cuda.Stream(device) if captured else None  # type: ignore[no-untyped-call]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._taken = 0  # steps in this process

    def begin(self, epoch: int) -> None:
        """Lay out an epoch (counted from 0): its order, its masks if they change, its dropout."""
        seed = (self.config.seed * self.config.epochs + epoch) * self.processes.count
        torch.manual_seed(1 + seed + self.processes.rank)
        self._visits.copy_(torch.from_numpy(self.order[epoch].astype(np.int64)))
        self._at.zero_()
        if self.config.masking == "dynamic":
            masks = self._masks(self._train, epoch)
            for old, new in zip(
                self.pairs, on_device(self._train, masks, self.device), strict=True
            ):
                old.copy_(new)
        self.network.train()

    def step(self, lr: float) -> None:
        """Train on the next batch of the epoch."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr
        if self._graph is not None:
            self._graph.replay()
        elif self._stream is None:
            self._step()
        elif self._taken < WARM_UP:
            self._stream.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(self._stream):
                self._step()
            torch.cuda.current_stream(self.device).wait_stream(self._stream)
        else:
            self._graph = torch.cuda.CUDAGraph()
            # records, does not compute; the stream says on which GPU
            with torch.cuda.graph(self._graph, stream=self._stream):
                self._step()
            self._graph.replay()
        self._taken += 1

    def _step(self) -> None:
        visited = self._visits.index_select(0, self._at)[0]  # (batch,)
        predictions = self.pairs.weights.index_select(0, visited).sum()  # of all processes
        share = self.processes.share(self.config.batch_size)
        visited = visited[share]
        batch = Batch(*(field.index_select(0, visited) for field in self.pairs))
        with self._autocast():
            mlm, nsp = losses(self.network(batch), batch)
        parts = torch.stack([mlm.sum() / predictions, nsp.sum() / self.config.batch_size])
        self.optimizer.zero_grad(set_to_none=True)
        parts.sum().backward()  # type: ignore[no-untyped-call]
        parts = parts.detach()
        single = parts.new_zeros(self.config.batch_size)
        single[share] = mlm.detach() / batch.weights.sum(dim=1)
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        self.processes.add_up([*gradients, parts, single])
        self.optimizer.step()
        self.log.index_copy_(0, self._at, parts[None])
        self.single.index_copy_(0, self._at, single[None])
        self._at += 1

    def validate(self) -> tuple[float, float, float, float]:
        """MLM and NSP loss and accuracy on the validation pairs, after the latest update."""
        totals = torch.zeros(4, device=self.device)
        self.network.eval()
        with torch.no_grad(), self._autocast():
            for batch in cut(self.valid):
                outputs = self.network(batch)
                mlm, nsp = losses(outputs, batch)
                words, pairs = right(outputs, batch)
                totals += torch.stack([mlm.sum(), nsp.sum(), words, pairs])
        self.network.train()
        mlm_loss, nsp_loss, mlm_right, nsp_right = totals.tolist()
        words_asked, pairs_asked = float(self.valid.weights.sum()), self.valid.is_next.numel()
        return (
            mlm_loss / words_asked,
            nsp_loss / pairs_asked,
            mlm_right / words_asked,
            nsp_right / pairs_asked,
        )

    def probe(self) -> Tensor:
        """(probe_pairs,) MLM loss of the followed pairs, without dropout, after the update."""
        self.network.eval()
        with torch.no_grad(), self._autocast():
            sums = [losses(self.network(batch), batch)[0] for batch in cut(self.probed)]
        self.network.train()
        return torch.cat(sums) / self.probed.weights.sum(dim=1)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint, whatever device it was written on."""
        self.network.load_state_dict(state["network"])
        own = self.optimizer.state_dict()["param_groups"]  # a captured lr must stay on its device
        self.optimizer.load_state_dict({**state["optimizer"], "param_groups": own})

    def _masks(self, pairs: Pairs, epoch: int) -> Masks:
        return mask(pairs, self._vocabulary, [self.config.seed, MASK_STREAM, epoch])

    def _autocast(self) -> torch.autocast:
        enabled = self.precision == "bfloat16"
        # without the cache of cast weights, which a captured graph must not keep
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=enabled, cache_enabled=False
        )


def make_optimizer(
    config: PretrainConfig, network: Bert, device: torch.device
) -> torch.optim.Optimizer:
    """The optimizer of a configuration, fused where torch has it so."""
    parameters, betas = network.parameters(), (config.beta1, config.beta2)
    decay = config.weight_decay
    if config.optimizer in GRAPH_OPTIMIZERS:
        kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
        captured = device.type == "cuda"
        lr = torch.tensor(config.lr, device=device) if captured else config.lr
        return kind(parameters, lr, betas, config.eps, decay, fused=True, capturable=captured)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, config.lr, config.beta2, config.eps, decay)
    return torch.optim.SGD(parameters, config.lr, config.beta1, weight_decay=decay)


def on_device(pairs: Pairs, masks: Masks, device: torch.device) -> Batch:
    """Pairs and their masks as tensors."""

    def integers(field: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(field.astype(np.int64)).to(device)

    return Batch(
        tokens=integers(masks.tokens),
        segments=integers(pairs.segments),
        lengths=integers(pairs.lengths),
        is_next=integers(pairs.is_next),
        positions=integers(masks.positions),
        labels=integers(masks.labels),
        weights=torch.from_numpy(masks.weights.astype(np.float32)).to(device),
    )


def cut(batch: Batch) -> list[Batch]:
    """A large batch as several of `EVALUATION_BATCH` pairs."""
    starts = range(0, len(batch.is_next), EVALUATION_BATCH)
    return [Batch(*(field[i : i + EVALUATION_BATCH] for field in batch)) for i in starts]
