"""The compiled loops behind `simulate`: random words, shuffles, layout of an order, the steps.

Given the order, the coordinates of the problem are independent of each other. So the kernel takes
them in blocks of `BLOCK` lanes and runs all steps of one block before the next: the block's state
stays in the first-level cache and the loop over its lanes vectorizes. Coordinates that no function
uses are left out. The slow, readable twin that loops over functions is in the tests.

Every double is computed by +, -, *, /, sqrt and max in a fixed order, so that another language
gives the same bits.
"""

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from esp_lib.optimizers import TwoMoment
from esp_lib.orders import Order
from esp_lib.threads import CORES, share
from esp_lib.threefry import PARITY, ROTATIONS, ROUNDS, Words

if TYPE_CHECKING:
    from esp_lib.quadratic import QuadraticProblem

BLOCK = 256  # lanes; their x, m, s and g take 8 KiB

# error_model="numpy": a division by zero gives inf, as in IEEE 754, and the loops vectorize.
_options: Any = {"nogil": True, "error_model": "numpy"}


def _jit(function: Callable[..., Any]) -> Any:
    """Compile, and keep the result on disk where there is a place to write it."""
    try:
        return numba.njit(cache=True, **_options)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(**_options)(function)


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


def word_rows(seed: int, stream: int, rows: int, columns: int) -> Words:
    """Words of one stream as a table, uint32 (rows, columns): those of `threefry.word_rows`."""
    return _word_rows((seed, stream, PARITY ^ seed ^ stream), rows, columns)


@_jit
def _word_rows(key, rows, columns):
    w0 = np.empty((columns + 1) // 2, np.uint32)  # of a whole row, so that the loops vectorize
    w1 = np.empty_like(w0)
    out = np.empty((rows, columns), np.uint32)
    for row in range(rows):
        for j in range(w0.size):
            w0[j] = np.uint64(j + key[0])
            w1[j] = np.uint64(row + key[1])
        for r in range(ROUNDS):
            left = np.uint64(ROTATIONS[r % 8])
            right = np.uint64(32 - ROTATIONS[r % 8])
            s = r // 4 + 1
            inject = r % 4 == 3  # the key, after every fourth round
            k0 = np.uint64(key[s % 3] if inject else 0)
            k1 = np.uint64(key[(s + 1) % 3] + s if inject else 0)
            for j in range(w0.size):  # in 64 bits, of which the lower 32 are kept
                b = np.uint64(w1[j])
                a = np.uint64(w0[j]) + b
                w0[j] = a + k0
                w1[j] = (((b << left) | (b >> right)) ^ a) + k1
        out[row, ::2] = w0
        out[row, 1::2] = w1[: columns // 2]
    return out


def shuffle_rows(words: Words, n: int) -> Order:
    """The first k entries of a Fisher-Yates shuffle of 0 … n - 1, one shuffle a row.

    Args:
        words: uint32 (rows, k), k <= n.
        n: how many integers are shuffled.

    Returns:
        int32 array (rows, k); the entries of a row are distinct.
    """
    return _shuffle_rows(np.ascontiguousarray(words), n)


@_jit
def _shuffle_rows(words, n):
    rows, k = words.shape
    out = np.empty((rows, k), np.int32)
    target = np.empty(k, np.int64)
    pool = np.arange(n).astype(np.int32)
    for r in range(rows):
        for j in range(k):
            target[j] = j + ((np.uint64(words[r, j]) * np.uint64(n - j)) >> np.uint64(32))
            pool[j], pool[target[j]] = pool[target[j]], pool[j]
        out[r] = pool[:k]
        for j in range(k - 1, -1, -1):  # undo, so that each row starts from 0 … n - 1
            pool[j], pool[target[j]] = pool[target[j]], pool[j]
    return out


def make_layout(order: Order, problem: "QuadraticProblem", batch_size: int) -> Layout:
    """Sort the visits of `order` (epochs, num_functions) by block and then by time."""
    used, position = problem.lanes()  # they count through all blocks
    blocks = -(-used.size // BLOCK)
    batches = order.reshape(-1, batch_size)
    function, lane, start = _sort_visits(batches, position, blocks)
    return Layout(function, lane, start, used.size, used)


@_jit
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


@_jit
def _run_block(
    out, a, c, x0, function, lane, start, inverse_batch,
    decay1, weight1, decay2, weight2, eps, shrink, scale_m, scale_g, root, adaptive, use_max,
):  # fmt: skip
    """All steps of one block of lanes; `out[t]` gets the block's sum of a (x - c)^2 at step t.

    `s` stands for sqrt(v). Where the gradient is zero it only shrinks, by sqrt(decay2), so a root
    is taken for the visited lanes alone. Between steps `m` and `s` are kept already decayed.
    """
    steps, lanes = out.size, x0.size
    decay_s = np.sqrt(decay2)
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
                m[d] += weight1 * g[d]
                s[d] = np.sqrt(s[d] * s[d] + weight2 * (g[d] * g[d]))
                s_max[d] = max(s_max[d], s[d])
        sm, sg, rt = scale_m[t], scale_g[t], root[t]
        if not adaptive:
            for d in range(lanes):
                x[d] = shrink * x[d] - (sm * m[d] + sg * g[d])
                m[d] *= decay1
        elif use_max:
            for d in range(lanes):
                x[d] = shrink * x[d] - (sm * m[d] + sg * g[d]) / (rt * s_max[d] + eps)
                m[d] *= decay1
                s[d] *= decay_s
        else:
            for d in range(lanes):
                x[d] = shrink * x[d] - (sm * m[d] + sg * g[d]) / (rt * s[d] + eps)
                m[d] *= decay1
                s[d] *= decay_s
        for j in range(start[t], start[t + 1]):
            g[lane[j]] = 0.0


@_jit
def _run_blocks(
    a, c, x0, function, lane, start, inverse_batch,
    decay1, weight1, decay2, weight2, eps, shrink, scale_m, scale_g, root, adaptive, use_max,
):  # fmt: skip
    """Consecutive blocks one after the other: their sums, (blocks, steps)."""
    sums = np.empty((start.shape[0], start.shape[1] - 1))
    for k in range(start.shape[0]):
        _run_block(
            sums[k], a, c, x0[k * BLOCK : (k + 1) * BLOCK], function, lane, start[k],
            inverse_batch, decay1, weight1, decay2, weight2, eps, shrink, scale_m, scale_g, root,
            adaptive, use_max,
        )  # fmt: skip
    return sums


def run_on_cpu(
    problem: "QuadraticProblem",
    x0: NDArray[np.float64],
    order: Order,
    batch_size: int,
    rules: list[TwoMoment],
) -> NDArray[np.float64]:
    """Mean batch losses of several settings on one problem and order, on all cores.

    Args:
        problem: the functions; a single problem.
        x0: (dim,) the starting point.
        order: int32 (epochs, num_functions).
        batch_size: functions a step.
        rules: coefficient tables, `Optimizer.two_moment`.

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
            problem.a, problem.c, start_x[k * BLOCK : (k + each) * BLOCK],
            layout.function, layout.lane, layout.start[k : k + each], 1.0 / batch_size,
            rule.decay1, rule.weight1, rule.decay2, rule.weight2, rule.eps, rule.shrink,
            rule.scale_m, rule.scale_g, rule.root, rule.adaptive, rule.use_max,
        )  # fmt: skip
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
