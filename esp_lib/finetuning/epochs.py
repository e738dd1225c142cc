"""What another epoch does: to the weights, at its boundary, and to the validation loss.

These studies are ours; they answer what is asked beside odd loss curves.

Dimensions: O data orders, P evaluations.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib.finetuning.seed_variance import Episodes
from esp_lib.records.record import RunRecord

Array = NDArray[np.float64]


def same_first_epoch(short: RunRecord, long: RunRecord) -> tuple[int, int]:
    """In how many data orders all weights after the first epoch have the same bits; of how many."""
    first, second = (record.arrays["digest"][:, 0] for record in (short, long))
    same = (first == second).all(axis=1)
    return int(same.sum()), same.size


class Turn(NamedTuple):
    """Where the validation loss of one initialization's episodes turns up; each (O,)."""

    epoch: Array  # of the lowest validation loss
    step: Array  # updates before it
    rise: Array  # from there to the end, in nats
    lowest: Array  # the lowest validation loss, in nats
    train_loss: Array  # mean over the last epoch, in nats


def turn(episodes: Episodes) -> Turn:
    """Overfitting of the first initialization's episodes."""
    loss = episodes.loss[0]  # (O, P)
    at = loss.argmin(axis=1)
    steps = episodes.train_loss.shape[-1] // episodes.epochs
    return Turn(
        (at + 1) / episodes.per_epoch,
        episodes.step[at].astype(float),
        loss[:, -1] - loss.min(axis=1),
        loss.min(axis=1),
        episodes.train_loss[0][:, -steps:].mean(axis=1),
    )


class Boundary(NamedTuple):
    """What happens to some episodes at the end of an epoch, in nats; each (episodes,)."""

    logged: Array  # logged training loss: first tenth of the next epoch minus last tenth
    validation: Array  # validation loss: a tenth of an epoch after the boundary minus at it
    before: Array  # validation loss: at the boundary minus a tenth of an epoch before it


def at_boundary(episodes: Episodes, epoch: int) -> Boundary:
    """What the logs say around the end of an epoch, counted from 1."""
    _checks.integer("epoch", epoch, low=1, high=episodes.epochs - 1)
    steps = episodes.train_loss.shape[-1] // episodes.epochs
    tenth = max(1, steps // 10)
    train = episodes.train_loss.reshape(-1, episodes.train_loss.shape[-1])
    loss = episodes.loss.reshape(-1, episodes.loss.shape[-1])
    end, point = epoch * steps, epoch * episodes.per_epoch
    return Boundary(
        train[:, end : end + tenth].mean(axis=1) - train[:, end - tenth : end].mean(axis=1),
        loss[:, point] - loss[:, point - 1],
        loss[:, point - 1] - loss[:, point - 2],
    )
