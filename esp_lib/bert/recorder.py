"""What a pre-training run writes down, step by step.

Losses stay on the device until a plotted point; single pairs and single embedding rows are followed
only in the epochs that the configuration names. Pairs are numbered as in the corpus; `make_order`
with the run's seed tells which of them each step visited.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from esp_lib.bert.config import PretrainConfig
from esp_lib.bert.trainer import Training

PROBES_AN_EPOCH = 10
RARE_ROWS = 256  # embedding rows followed, at most
RESOLUTION = 2.0**-14  # nats: logged losses are rounded to it, so that records stay small
VALIDATION = ("valid_mlm_loss", "valid_nsp_loss", "valid_mlm_accuracy", "valid_nsp_accuracy")


class Recorder:
    """The arrays of one run.

    Always:

    - mlm_loss, nsp_loss: (steps,) float32, of each batch before its update, in nats.
    - valid_step: (points,) int32, updates before each validation.
    - valid_mlm_loss, valid_nsp_loss, valid_mlm_accuracy, valid_nsp_accuracy: (points,) float32.

    With `probe_epochs`:

    - pair_loss: (probe epochs, steps per epoch, batch) float16, logged MLM loss of each pair that
      these epochs visit, dropout included; mean over the pair's hidden words, NaN if it has none.
    - probe_step: (probes,) int32, updates before each probe.
    - probe_loss: (probes, probe_pairs) float16, MLM loss of the first pairs of the training set
      with the weights of that moment, without dropout.
    - rare_token, rare_pair: (rows,) int32, tokens that occur once in the masked training text (as
      an input), and the pair they occur in.
    - rare_moved: (probes, rows) float32, root mean square over the row of its movement since the
      previous probe (since the epoch's start for the first).
    - token_count: (V,) int32, occurrences in the masked training text.
    - row_norm: (2, V) float16, root mean square of each embedding row before and after the run.
    """

    def __init__(self, config: PretrainConfig, training: Training) -> None:
        self.config, self.training = config, training
        self.diverged = False
        self._logged: dict[str, NDArray[Any]] = {
            name: np.full(config.steps, np.nan, np.float32) for name in ("mlm_loss", "nsp_loss")
        }
        self._points: dict[str, list[Any]] = {"valid_step": [], **{k: [] for k in VALIDATION}}
        if config.probe_epochs:
            self._begin_probes()

    def _begin_probes(self) -> None:
        training = self.training
        shape = (len(self.config.probe_epochs), *training.single.shape)
        self._logged["pair_loss"] = np.full(shape, np.nan, np.float16)
        self._points.update({name: [] for name in ("probe_step", "probe_loss", "rare_moved")})
        tokens = training.pairs.tokens.cpu().numpy()
        self._first_norm = _row_norm(self._rows())
        self._count = np.bincount(tokens.ravel(), minlength=len(self._first_norm))
        self._rare = np.flatnonzero(self._count == 1)[:RARE_ROWS]
        pairs, columns = np.nonzero(np.isin(tokens, self._rare))
        place = dict(zip(tokens[pairs, columns].tolist(), pairs.tolist(), strict=True))
        self._rare_pair = np.array([place[token] for token in self._rare.tolist()], np.int32)

    def _rows(self) -> torch.Tensor:
        return self.training.network.token.weight.detach()

    def begin(self, epoch: int) -> None:
        """Before the first step of an epoch."""
        if epoch in self.config.probe_epochs:
            self._before = self._rows()[self._rare].clone()

    def after(self, epoch: int, at: int) -> None:
        """After step `at` of an epoch, counted from 1."""
        config = self.config
        step = epoch * config.steps_per_epoch + at
        if step % config.validate_every == 0:
            self._fetch(epoch, at)
            self._points["valid_step"].append(step)
            for name, value in zip(VALIDATION, self.training.validate(), strict=True):
                self._points[name].append(value)
        if epoch in config.probe_epochs and at in probe_places(config.steps_per_epoch):
            self._probe(step)

    def _probe(self, step: int) -> None:
        rows = self._rows()[self._rare].clone()
        moved = (rows - self._before).square().mean(dim=1).sqrt()
        self._before = rows
        self._points["probe_step"].append(step)
        self._points["probe_loss"].append(self.training.probe().cpu().numpy())
        self._points["rare_moved"].append(moved.cpu().numpy())

    def end(self, epoch: int) -> None:
        """After the last step of an epoch."""
        self._fetch(epoch, self.config.steps_per_epoch)
        if epoch in (probed := self.config.probe_epochs):
            single = self.training.single.cpu().numpy()
            with np.errstate(over="ignore"):  # a loss on its way to divergence
                self._logged["pair_loss"][probed.index(epoch)] = single

    def _fetch(self, epoch: int, at: int) -> None:
        """Bring the losses of the epoch's first `at` steps to the host."""
        start = epoch * self.config.steps_per_epoch
        log = self.training.log[:at].cpu().numpy()
        for name, values in zip(("mlm_loss", "nsp_loss"), log.T, strict=True):
            with np.errstate(over="ignore"):  # a loss on its way to divergence
                rounded = np.round(values / RESOLUTION) * RESOLUTION
            self._logged[name][start : start + at] = rounded
        self.diverged = not np.isfinite(log).all()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        state: dict[str, Any] = {
            "logged": {name: torch.from_numpy(values) for name, values in self._logged.items()},
            "points": {k: torch.from_numpy(np.array(v)) for k, v in self._points.items()},
        }
        if self.config.probe_epochs:  # of the network before its first step
            state["first_norm"] = torch.from_numpy(self._first_norm)
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._logged = {name: values.numpy() for name, values in state["logged"].items()}
        self._points = {name: list(values.numpy()) for name, values in state["points"].items()}
        if self.config.probe_epochs:
            self._first_norm = state["first_norm"].numpy()

    def shorten(self, epochs: int) -> None:
        """Keep the first epochs, all of them complete."""
        steps = epochs * self.config.steps_per_epoch
        probed = sum(epoch < epochs for epoch in self.config.probe_epochs)
        lengths = {"pair_loss": probed, "mlm_loss": steps, "nsp_loss": steps}
        self._logged = {name: values[: lengths[name]] for name, values in self._logged.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything recorded, by name."""
        kinds: dict[str, Any] = {"valid_step": np.int32, "probe_step": np.int32}
        kinds["probe_loss"] = np.float16
        arrays = dict(self._logged)
        for name, values in self._points.items():
            with np.errstate(over="ignore"):
                arrays[name] = np.array(values, dtype=kinds.get(name, np.float32))
        if self.config.probe_epochs:
            arrays["token_count"] = self._count.astype(np.int32)
            arrays["rare_token"] = self._rare.astype(np.int32)
            arrays["rare_pair"] = self._rare_pair
            arrays["row_norm"] = np.stack([self._first_norm, _row_norm(self._rows())])
        return arrays


def probe_places(steps_per_epoch: int) -> list[int]:
    """After which steps of an epoch it is probed: after the first, then at equal distances."""
    places = np.linspace(0, steps_per_epoch, PROBES_AN_EPOCH + 1)
    return sorted({1, *np.rint(places[1:]).astype(int).tolist()} - {0})


def _row_norm(rows: torch.Tensor) -> NDArray[np.float16]:
    norm = rows.square().mean(dim=1).sqrt().cpu().numpy()
    with np.errstate(over="ignore"):
        return norm.astype(np.float16)
