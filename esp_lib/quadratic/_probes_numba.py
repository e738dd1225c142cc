"""The compiled loop behind `probes.probe`: the steps of `_numba`, with a notebook beside them.

It runs the layout and the common form of the update rules (`optimizers.base`, `TwoMoment`) that
`simulate` runs, and its losses are the same bits. It is a loop of its own so that `simulate` pays
nothing for it. A norm or an inner product over all coordinates is a sum over blocks of lanes, so
blocks still run one after the other, each through all its steps. As in `_numba`, `s` stands for
sqrt(v).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib._jit import jit
from esp_lib.optimizers.base import TwoMoment
from esp_lib.quadratic._numba import BLOCK, Layout, make_layout
from esp_lib.quadratic.plan import Group
from esp_lib.sampling.orders import Order

# How many numbers the loop fills in for each step, in the order of `probes`: norms and inner
# products of g, m (v) and the update; x, g, m, v and the v before.
NORMS, PRODUCTS, STATES = 4, 3, 5

Array = NDArray[np.float64]


class Tape(NamedTuple):
    """What one run leaves; the compiled loop fills in sums, which `run_probes` completes."""

    loss: Array  # (steps,) mean loss of each batch; in the loop, sums of a (x - c)^2
    norm: Array  # (recorded, norms); in the loop, squared
    product: Array  # (recorded, watched, products)
    level: Array  # (recorded, watched, 2) loss of each watched batch before and after the update
    state: Array  # (kept, states, lanes); given back as (kept, states, dim)


class Slots(NamedTuple):
    """Where each step of the run writes, or -1; int64 (steps,)."""

    record: NDArray[np.int64]
    state: NDArray[np.int64]


@jit
def _probe_block(
    tape: Tape,
    slots: Slots,
    k: int,
    a: Array,
    c: Array,
    start_x: Array,
    visits: Layout,
    watched: Layout,
    steps_per_epoch: int,
    inverse_batch: float,
    rule: TwoMoment,
) -> None:
    """All steps of block k, added to the tape."""
    first = k * BLOCK
    x = start_x[first : first + BLOCK].copy()
    lanes = x.size
    m, s, s_max, g = np.zeros(lanes), np.zeros(lanes), np.zeros(lanes), np.zeros(lanes)
    x_before, s_before = np.zeros(lanes), np.zeros(lanes)
    decay_s = np.sqrt(rule.decay2)
    stamp = np.full(lanes, -1)
    batches = tape.product.shape[1]
    for t in range(tape.loss.size):
        total = 0.0
        for j in range(visits.start[k, t], visits.start[k, t + 1]):
            i, d = visits.function[j], visits.lane[j]
            u = x[d] - c[i]
            au = a[i] * u
            total += au * u
            g[d] += 2.0 * au * inverse_batch
        tape.loss[t] += total
        record, state = slots.record[t], slots.state[t]
        if record >= 0 or state >= 0:
            for d in range(lanes):  # assigning slices would take 3 s longer to compile
                x_before[d], s_before[d] = x[d], s[d]
        for d in range(lanes):
            m[d] *= rule.decay1
            s[d] *= decay_s
        for j in range(visits.start[k, t], visits.start[k, t + 1]):
            d = visits.lane[j]
            if stamp[d] != t:
                stamp[d] = t
                m[d] += rule.weight1 * g[d]
                s[d] = np.sqrt(s[d] * s[d] + rule.weight2 * (g[d] * g[d]))
                s_max[d] = max(s_max[d], s[d])
        for d in range(lanes):
            move = rule.scale_m[t] * m[d] + rule.scale_g[t] * g[d]
            if rule.adaptive:
                second = s_max[d] if rule.use_max else s[d]
                move = move / (rule.root[t] * second + rule.eps)
            x[d] = rule.shrink * x[d] - move
        if record >= 0:
            squares = tape.norm[record]
            for d in range(lanes):
                squares[0] += g[d] * g[d]
                squares[1] += m[d] * m[d]
                squares[2] += s[d] ** 4
                squares[3] += (x[d] - x_before[d]) ** 2
            row = record // steps_per_epoch * batches  # of the watched batches of this epoch
            for b in range(batches):
                dots, levels = tape.product[record, b], tape.level[record, b]
                for j in range(watched.start[k, row + b], watched.start[k, row + b + 1]):
                    i, d = watched.function[j], watched.lane[j]
                    u = x_before[d] - c[i]
                    slope = 2.0 * a[i] * u * inverse_batch
                    dots[0] += slope * g[d]
                    dots[1] += slope * m[d]
                    dots[2] += slope * (x[d] - x_before[d])
                    levels[0] += a[i] * u * u
                    levels[1] += a[i] * (x[d] - c[i]) ** 2
        if state >= 0:
            kept = tape.state[state]
            for d in range(lanes):
                kept[0, first + d] = x_before[d]
                kept[1, first + d] = g[d]
                kept[2, first + d] = m[d]
                kept[3, first + d] = s[d] ** 2
                kept[4, first + d] = s_before[d] ** 2
        for j in range(visits.start[k, t], visits.start[k, t + 1]):
            g[visits.lane[j]] = 0.0


@jit
def _probe_blocks(
    tape: Tape,
    slots: Slots,
    a: Array,
    c: Array,
    start_x: Array,
    visits: Layout,
    watched: Layout,
    steps_per_epoch: int,
    inverse_batch: float,
    rule: TwoMoment,
) -> None:
    for k in range(visits.start.shape[0]):
        _probe_block(
            tape, slots, k, a, c, start_x, visits, watched, steps_per_epoch, inverse_batch, rule
        )


def run_probes(
    group: Group, order: Order, start: Array, batch_size: int, slots: Slots, watched: Order
) -> list[Tape]:
    """Run the settings of a group with probes.

    The group is one problem in several settings; `order` is int32 (epochs, num_functions),
    `start` (dim,). `slots` say where each step writes, `watched` has int32 (recorded epochs,
    watched batches, batch_size) function indices.

    Returns:
        A tape for each setting.
    """
    problem = group.problem
    steps_per_epoch = order.shape[1] // batch_size
    visits = make_layout(order, problem, batch_size)
    watch = make_layout(watched, problem, batch_size)
    recorded, kept = (int(slot.max()) + 1 for slot in slots)
    floor = problem.b[order.reshape(-1, batch_size)].sum(axis=1)  # (steps,)
    watched_floor = np.repeat(problem.b[watched].sum(axis=2), steps_per_epoch, axis=0)
    tapes = []
    for rule in group.rules:
        sums = Tape(
            loss=np.zeros(floor.size),
            norm=np.zeros((recorded, NORMS)),
            product=np.zeros((recorded, watched.shape[1], PRODUCTS)),
            level=np.zeros((recorded, watched.shape[1], 2)),
            state=np.zeros((kept, STATES, visits.lanes)),
        )
        _probe_blocks(
            sums,
            slots,
            problem.a,
            problem.c,
            start[visits.coordinate],
            visits,
            watch,
            steps_per_epoch,
            1.0 / batch_size,
            rule,
        )
        state = np.zeros((kept, STATES, problem.dim))
        elapsed = np.flatnonzero(slots.state >= 0)[:, None]
        with np.errstate(over="ignore", invalid="ignore"):  # unused coordinates
            state[slots.state[slots.state >= 0], 0] = start * rule.shrink**elapsed
        state[:, :, visits.coordinate] = sums.state
        tapes.append(
            Tape(
                loss=(sums.loss + floor) / batch_size,
                norm=np.sqrt(sums.norm),
                product=sums.product,
                level=(sums.level + watched_floor[..., None]) / batch_size,
                state=state,
            )
        )
    return tapes
