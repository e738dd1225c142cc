"""`make_order("reshuffle")` for many seeds on a GPU, bit for bit.

A lane of the GPU owns one epoch of one seed. It draws the words of `threefry` as it goes and swaps
in the order's own row, which starts as 0 … n - 1, so that nothing is kept besides. Needs Triton.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl

from esp_lib.sampling.threefry import PARITY, ROTATIONS, ROUNDS, STREAM_ORDER

LANES = 32  # of a program, which is one warp: a lane a thread, which reads what it wrote itself
CONSTANTS = {
    "STREAM": STREAM_ORDER, "PARITY": PARITY, "ROUNDS": ROUNDS, "ROTATIONS": ROTATIONS,
    "LANES": LANES,
}  # fmt: skip
# num_stages: no load may overtake the store of the swap before it.
OPTIONS = {"num_warps": 1, "num_stages": 1}


@triton.jit
def _swap(row, j, word, n, used):
    """One step of the shuffle: position j with j + floor(word (n - j) / 2**32)."""
    target = j + (word.to(tl.uint64) * (n - j).to(tl.uint64) >> 32).to(tl.int32)
    here = tl.load(row + j, mask=used)
    there = tl.load(row + target, mask=used)
    tl.store(row + j, there, mask=used)
    tl.store(row + target, here, mask=used)


@triton.jit(do_not_specialize=["rows", "epochs", "n"])
def run_shuffles(
    order, seeds, rows, epochs, n,
    STREAM: tl.constexpr, PARITY: tl.constexpr, ROUNDS: tl.constexpr, ROTATIONS: tl.constexpr,
    LANES: tl.constexpr,
):  # fmt: skip
    """Shuffle each row of `order`, which starts as 0 … n - 1.

    Args:
        order: int32 (rows, n), row by row the epochs of the first seed, of the second, …
        seeds: int64 (rows // epochs,).
        rows: how many there are.
        epochs: rows of a seed.
        n: functions.
        STREAM: second key word.
        PARITY: of `threefry`, like the next two.
        ROUNDS: of a block.
        ROTATIONS: of a round each, over and over.
        LANES: rows of a program.
    """
    index = tl.program_id(0) * LANES + tl.arange(0, LANES)
    used = index < rows
    key0 = tl.load(seeds + index // epochs, mask=used, other=0).to(tl.uint32)
    key1 = tl.full((LANES,), STREAM, tl.uint32)
    key2 = key0 ^ key1 ^ PARITY
    epoch = (index % epochs).to(tl.uint32)
    row = order + index.to(tl.int64) * n
    for j in range(0, n, 2):
        w0 = key0 + j // 2
        w1 = key1 + epoch
        for r in tl.static_range(ROUNDS):
            w0 += w1
            w1 = ((w1 << ROTATIONS[r % 8]) | (w1 >> (32 - ROTATIONS[r % 8]))) ^ w0
            if r % 12 == 3:  # the key after every fourth round, its words in turn
                w0 += key1
                w1 += key2 + (r // 4 + 1)
            if r % 12 == 7:
                w0 += key2
                w1 += key0 + (r // 4 + 1)
            if r % 12 == 11:
                w0 += key0
                w1 += key1 + (r // 4 + 1)
        _swap(row, j, w0, n, used)
        _swap(row, j + 1, w1, n, used & (j + 1 < n))


def shuffles(seeds: Sequence[int], epochs: int, num_functions: int, device: str) -> torch.Tensor:
    """The orders of many seeds.

    Args:
        seeds: 0 to 2**32 - 1 each.
        epochs: of each order.
        num_functions: functions.
        device: a torch device; "cpu" if Triton interprets (TRITON_INTERPRET=1), as in the tests.

    Returns:
        int32 (len(seeds), epochs, num_functions) on the device.
    """
    straight = torch.arange(num_functions, dtype=torch.int32, device=device)
    order = straight.repeat(len(seeds), epochs, 1)
    rows = len(seeds) * epochs
    run_shuffles[(triton.cdiv(rows, LANES),)](
        order,
        torch.tensor(seeds, dtype=torch.int64, device=device),
        rows,
        epochs,
        num_functions,
        **CONSTANTS,
        **OPTIONS,
    )
    return order
