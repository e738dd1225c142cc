"""The compiled loops behind `simulate`: random words, shuffles, layout of an order, the steps.

Given the order, the coordinates of the problem are independent of each other. So the kernel takes
them in blocks of `BLOCK` lanes and runs all steps of one block before the next: the block's state
stays in the first-level cache and the loop over its lanes vectorizes. Coordinates that no function
uses are left out. The slow, readable twin that loops over functions is in the tests.

Every double is computed by +, -, *, /, sqrt and max in a fixed order, so that another language
gives the same bits.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esp_lib._jit import jit
from esp_lib._threads import CORES, share
from esp_lib.optimizers.base import TwoMoment
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.sampling.orders import Order

BLOCK = 256  # lanes; their x, m, s and g take 8 KiB


class Layout(NamedTuple):
    """An order seen from the blocks: who visits block k at step t.

    The visits `start[k, t]` to `start[k, t + 1]` are those of block k at step t, in the order of
    the batch; visit j is by `function[j]` to lane `lane[j]` of the block.
    """

    function: NDArray[np.int32]  # (visits,)
    lane: NDArray[np.int32]  # (visits,)
    start: NDArray[np.int64]  # (blocks, steps + 1)
    lanes: int  # coordinates in use
    coordinate: NDArray[np.int64]  # (lanes,) the coordinate behind each lane, ascending


def make_layout(order: Order, problem: QuadraticProblem, batch_size: int) -> Layout:
    """Sort the visits of `order` (epochs, num_functions) by block and then by time."""
    used, position = problem.lanes()  # they count through all blocks
    blocks = -(-used.size // BLOCK)
    batches = order.reshape(-1, batch_size)
    function, lane, start = _sort_visits(batches, position, blocks)
    return Layout(function, lane, start, used.size, used)


@jit
def _sort_visits(batches, position, blocks):
    steps = batches.shape[0]
    start = np.zeros((blocks, steps + 1), np.int64)
    for t in range(steps):
        for i in batches[t]:
            start[position[i] // BLOCK, t] += 1
    total = 0
    for k in range(blocks):
        for t in range(steps + 1):  # counts become first positions
            count = start[k, t]
            start[k, t] = total
            total += count
    fill = start[:, 0].copy()
    function = np.empty(batches.size, np.int32)
    lane = np.empty(batches.size, np.int32)
    for i in batches.reshape(-1):
        k = position[i] // BLOCK
        function[fill[k]] = i
        lane[fill[k]] = position[i] - k * BLOCK
        fill[k] += 1
    return function, lane, start


@jit
def _run_block(out, a, c, x0, function, lane, start, inverse_batch, rule):
    """All steps of one block of lanes; `out[t]` gets the block's sum of a (x - c)^2 at step t.

    `s` stands for sqrt(v). Where the gradient is zero it only shrinks, by sqrt(decay2), so a root
    is taken for the visited lanes alone. Between steps `m` and `s` are kept already decayed.
    """
    steps, lanes = out.size, x0.size
    decay_s = np.sqrt(rule.decay2)
    x = x0.copy()
    m, s, s_max, g = np.zeros(lanes), np.zeros(lanes), np.zeros(lanes), np.zeros(lanes)
    stamp = np.full(lanes, -1)  # the step at which m and s of a lane last learned a gradient
    for t in range(steps):
        total = 0.0
        for j in range(start[t], start[t + 1]):
            i, d = function[j], lane[j]
            u = x[d] - c[i]
            au = a[i] * u
            total += au * u
            g[d] += 2.0 * au * inverse_batch
        out[t] = total
        for j in range(start[t], start[t + 1]):
            d = lane[j]
            if stamp[d] != t:  # a batch may visit a lane twice
                stamp[d] = t
                m[d] += rule.weight1 * g[d]
                s[d] = np.sqrt(s[d] * s[d] + rule.weight2 * (g[d] * g[d]))
                s_max[d] = max(s_max[d], s[d])
        sm, sg, rt = rule.scale_m[t], rule.scale_g[t], rule.root[t]
        if not rule.adaptive:
            for d in range(lanes):
                x[d] = rule.shrink * x[d] - (sm * m[d] + sg * g[d])
                m[d] *= rule.decay1
        elif rule.use_max:
            for d in range(lanes):
                x[d] = rule.shrink * x[d] - (sm * m[d] + sg * g[d]) / (rt * s_max[d] + rule.eps)
                m[d] *= rule.decay1
                s[d] *= decay_s
        else:
            for d in range(lanes):
                x[d] = rule.shrink * x[d] - (sm * m[d] + sg * g[d]) / (rt * s[d] + rule.eps)
                m[d] *= rule.decay1
                s[d] *= decay_s
        for j in range(start[t], start[t + 1]):
            g[lane[j]] = 0.0


@jit
def _run_blocks(a, c, x0, function, lane, start, inverse_batch, rule):
    """Consecutive blocks one after the other: their sums, (blocks, steps)."""
    sums = np.empty((start.shape[0], start.shape[1] - 1))
    for k in range(start.shape[0]):
        lanes = x0[k * BLOCK : (k + 1) * BLOCK]
        _run_block(sums[k], a, c, lanes, function, lane, start[k], inverse_batch, rule)
    return sums


def run_on_cpu(
    problem: QuadraticProblem,
    x0: NDArray[np.float64],
    order: Order,
    batch_size: int,
    rules: list[TwoMoment],
) -> NDArray[np.float64]:
    """Mean batch losses of several settings on one problem and order, on all cores.

    `x0` is (dim,), `order` int32 (epochs, num_functions); `rules` are coefficient tables,
    `Optimizer.two_moment`.

    Returns:
        float64 (len(rules), steps).
    """
    layout = make_layout(order, problem, batch_size)
    blocks, steps = layout.start.shape[0], layout.start.shape[1] - 1
    start_x = x0[layout.coordinate]
    quadratic = np.zeros((len(rules), steps))

    each = blocks if len(rules) >= CORES else -(-blocks // CORES)  # blocks a task
    tasks = [(r, k) for r in range(len(rules)) for k in range(0, blocks, each)]

    def run_task(task: tuple[int, int]) -> NDArray[np.float64]:
        rule, k = rules[task[0]], task[1]
        sums = _run_blocks(
            problem.a,
            problem.c,
            start_x[k * BLOCK : (k + each) * BLOCK],
            layout.function,
            layout.lane,
            layout.start[k : k + each],
            1.0 / batch_size,
            rule,
        )
        if each < blocks:
            return sums
        with np.errstate(over="ignore", invalid="ignore"):
            return reduce(np.add, sums)[None]  # as below, and less to keep

    with np.errstate(over="ignore", invalid="ignore"):
        for (r, _), sums in zip(tasks, share(run_task, tasks), strict=True):
            for block_sum in sums:  # in the order of the blocks, however they were shared out
                quadratic[r] += block_sum
        floor = problem.b[order.reshape(steps, batch_size)].sum(axis=1)
        return (quadratic + floor) / batch_size
