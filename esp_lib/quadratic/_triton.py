"""`simulate` on a GPU: all runs of a plan in one launch, each coordinate in registers to the end.

Given the order, the coordinates of a run are independent of each other. So a lane of the GPU owns
one coordinate of one run and takes all steps with x, m and sqrt(v) in registers, as `_numba` does
with blocks in the cache: the same operations in the same order and no fused multiply-add, so that a
coordinate has the bits that it has on the CPU. A program has `LANES` lanes: some coordinates, each
for several runs of one group, which visit it at the same steps. Only such steps look for visits.

A visit's loss goes to its own place, and torch averages the batches. So nothing is atomic, and two
calls give the same bits. Needs Triton, which comes with torch for Linux.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
import torch
import triton
import triton.language as tl
from numpy.typing import NDArray

from esp_lib.optimizers.base import TwoMoment
from esp_lib.quadratic.plan import Group, SimulationPlan
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.sampling._triton import shuffles

Item = TypeVar("Item")
Indices = NDArray[np.int64]

LANES = 64  # of a program, which is one warp: two lanes a thread, and no barrier anywhere
OPTIONS = {"num_warps": 1, "enable_fp_fusion": False}
WASTE = 1.25  # lanes are at most so many times those with work
MEMORY = 2**33  # bytes of the GPU that one launch may take, if twice as much is free


# ------------------------------------------------------------------------------- what the GPU does


@triton.jit(do_not_specialize=["lanes", "functions", "visits", "batch_size"])
def run_lanes(
    terms, place, function, first, a, b, c, start, constants, tables,
    group_of, problem_of, rules_of, lanes, functions, visits, batch_size,
    RUNS: tl.constexpr, COORDINATES: tl.constexpr, ADAPTIVE: tl.constexpr, USE_MAX: tl.constexpr,
):  # fmt: skip
    """All steps of COORDINATES coordinates of RUNS runs of a group, which are a tile.

    Every number that is not exact in float32 comes from a table: a literal would be rounded.

    Args:
        terms: (tiles, visits, RUNS), gets a (x - c)^2 + b of each visit at its place in the order.
        place: (groups, visits) places in the order, sorted by lane and then by time.
        function: (groups, visits) the function that each of them visits.
        first: (groups, lanes + 1) where the places of a lane begin.
        a: (problems, functions) curvatures.
        b: (problems, functions) floors.
        c: (problems, functions) minima.
        start: (problems, lanes) x before the first step.
        constants: (rules, 7, RUNS), of each different set of a tile's rules; see `_constants`.
        tables: (rules, steps, 3, RUNS), their scale_m, scale_g and root.
        group_of: (tiles,) the group of each tile.
        problem_of: (tiles,) its problem.
        rules_of: (tiles,) its set of rules.
        lanes: coordinates in use, the most that a problem has.
        functions: of one problem.
        visits: of one run.
        batch_size: functions a step.
        RUNS: runs of a program.
        COORDINATES: coordinates of a program.
        ADAPTIVE: whether the rule has a second moment.
        USE_MAX: whether its maximum takes its place.
    """
    blocks = tl.cdiv(lanes, COORDINATES)
    tile = (tl.program_id(0) // blocks).to(tl.int64)  # 64 bits, like all that offsets come from
    group = tl.load(group_of + tile)
    problem = tl.load(problem_of + tile)
    rules = tl.load(rules_of + tile)
    index = tl.arange(0, RUNS * COORDINATES)
    run = index % RUNS
    lane = tl.program_id(0) % blocks * COORDINATES + index // RUNS
    used = lane < lanes

    terms += tile * visits * RUNS
    place += group * visits
    function += group * visits
    first += group * (lanes + 1)
    a += problem * functions
    b += problem * functions
    c += problem * functions
    constants += rules * 7 * RUNS + run
    tables += rules * (visits // batch_size) * 3 * RUNS + run

    decay1 = tl.load(constants)
    weight1 = tl.load(constants + RUNS)
    decay_s = tl.load(constants + 2 * RUNS)
    weight2 = tl.load(constants + 3 * RUNS)
    eps = tl.load(constants + 4 * RUNS)
    shrink = tl.load(constants + 5 * RUNS)
    inverse_batch = tl.load(constants + 6 * RUNS)

    x = tl.load(start + problem * lanes + lane, mask=used, other=0.0)
    m = tl.zeros_like(x)
    s = tl.zeros_like(x)  # sqrt(v); between steps m and s are kept already decayed
    s_max = tl.zeros_like(x)
    j = tl.load(first + lane, mask=used, other=0)  # the lane's next visit ...
    end = tl.load(first + lane + 1, mask=used, other=0)
    p = tl.load(place + j, mask=j < end, other=visits)  # ... and its place in the order
    due = tl.min(p, axis=0)

    for stop in range(batch_size, visits + 1, batch_size):  # a step's places end before `stop`
        scale_m = tl.load(tables)
        root = tl.load(tables + 2 * RUNS)
        if due < stop:
            g = tl.zeros_like(x)
            visited = index < 0
            while due < stop:  # a batch may visit a lane twice
                hit = p < stop
                i = tl.load(function + j, mask=hit, other=0)
                u = x - tl.load(c + i, mask=hit, other=0.0)
                au = tl.load(a + i, mask=hit, other=0.0) * u
                floor = tl.load(b + i, mask=hit, other=0.0)
                tl.store(terms + p.to(tl.int64) * RUNS + run, au * u + floor, mask=hit)
                g = tl.where(hit, g + 2.0 * au * inverse_batch, g)
                visited = visited | hit
                j += hit.to(tl.int32)
                p = tl.load(place + j, mask=j < end, other=visits)
                due = tl.min(p, axis=0)
            m += weight1 * g
            s = tl.where(visited, tl.sqrt(s * s + weight2 * (g * g)), s)
            s_max = tl.maximum(s_max, s)
            update = scale_m * m + tl.load(tables + RUNS) * g
        else:
            update = scale_m * m
        if ADAPTIVE:
            second = s_max if USE_MAX else s
            update = update / (root * second + eps)
        x = shrink * x - update
        m *= decay1
        s *= decay_s
        tables += 3 * RUNS


# ------------------------------------------------------------------------- what the host lays out


def run_on_triton(
    plan: SimulationPlan, device: str, dtype: str = "float64", memory: int = MEMORY
) -> NDArray[np.float64]:
    """Mean batch losses of all runs of a plan.

    Args:
        plan: the runs, of rules of the two-moment form.
        device: a torch device; "cpu" if Triton interprets (TRITON_INTERPRET=1), as in the tests.
        dtype: "float64" or "float32", of all arithmetic after the coefficient tables.
        memory: bytes that one launch may take; more runs take several launches.

    Returns:
        float64 (runs, steps).

    Raises:
        ValueError: a run has 2^30 visits or more.
    """
    visits = plan.steps * plan.batch_size
    if visits >= 2**30:  # places are int32
        raise ValueError(f"epochs times functions must be below 2**30 on a GPU, got {visits}")
    loss = np.empty((math.prod(plan.shape), plan.steps))
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        memory = min(memory, torch.cuda.mem_get_info(device)[0] // 2)
    with torch.cuda.device(device if on_gpu else -1):  # Triton launches on the current device
        for chunk in chunks(plan, memory):
            launch = lay_out(plan, chunk, device, dtype)
            launch.run()
            loss[[run for group in chunk for run in group.runs]] = launch.losses(plan.steps)
            del launch  # and its memory, before the next is laid out
    return loss


def runs_a_tile(count: int) -> int:
    """How many of a group's `count` runs share a program: a power of two that wastes little."""
    sizes = (LANES >> k for k in range(LANES.bit_length()))
    return next(size for size in sizes if -(-count // size) * size <= WASTE * count)


def chunks(plan: SimulationPlan, memory: int) -> Iterator[list[Group]]:
    """The groups, cut where they are too large, in lists that fit into `memory` bytes.

    All groups of a list have tiles of one size, so that filling them up wastes little.
    """
    visits = plan.steps * plan.batch_size
    of_group = 128 * visits  # the problem, the order and what sorting it takes
    of_run = 8 * (visits + 8 * plan.steps)  # terms, tables, losses
    most = max(1, (memory - of_group) // of_run)
    most = most // LANES * LANES or 2 ** (most.bit_length() - 1)
    parts = [
        group._replace(runs=group.runs[k : k + most], rules=group.rules[k : k + most])
        for group in plan.groups
        for k in range(0, len(group.runs), most)
    ]

    def tile(part: Group) -> int:
        return runs_a_tile(len(part.runs))

    for size, same in itertools.groupby(sorted(parts, key=tile), key=tile):
        chunk: list[Group] = []
        taken = 0
        for part in same:
            cost = of_group + of_run * -(-len(part.runs) // size) * size
            if chunk and taken + cost > memory:
                yield chunk
                chunk, taken = [], 0
            chunk.append(part)
            taken += cost
        yield chunk


class Launch(NamedTuple):
    """One call of `run_lanes`, whose arguments are on the device."""

    terms: torch.Tensor
    arguments: tuple[torch.Tensor | int, ...]  # what follows `terms`
    options: dict[str, int]
    programs: int
    kept: list[int]  # where the plan's runs are among those of all tiles, some filled up

    def run(self) -> None:
        """Take all steps; `terms` is filled when the device is done."""
        run_lanes[(self.programs,)](self.terms, *self.arguments, **self.options, **OPTIONS)

    def losses(self, steps: int) -> NDArray[np.float64]:
        """The mean of each batch of each run, (runs, steps), from `terms`."""
        tiles, visits, size = self.terms.shape
        mean = self.terms.view(tiles, steps, visits // steps, size).mean(dim=2)
        rows = mean.transpose(1, 2).reshape(-1, steps).double().cpu().numpy()
        return rows[self.kept]


def lay_out(plan: SimulationPlan, chunk: list[Group], device: str, dtype: str) -> Launch:
    """Put some groups of a plan on the device; arguments as in `run_on_triton`."""
    number = getattr(torch, dtype)

    def tensor(values: object) -> torch.Tensor:
        whole = torch.as_tensor(np.asarray(values), device=device)
        return whole.to(number) if whole.is_floating_point() else whole

    size = runs_a_tile(max(len(group.runs) for group in chunk))
    problems, problem_of = _distinct([group.problem for group in chunk], id)
    tiles: list[tuple[int, list[TwoMoment]]] = []  # the group and the rules of each
    kept: list[int] = []
    for index, group in enumerate(chunk):
        kept += range(len(tiles) * size, len(tiles) * size + len(group.runs))
        filled = group.rules + group.rules[-1:] * (-len(group.runs) % size)
        tiles += [(index, filled[k : k + size]) for k in range(0, len(filled), size)]
    group_of = np.array([index for index, _ in tiles])
    sets, rules_of = _distinct([rules for _, rules in tiles], lambda rules: (*map(id, rules),))
    rules = [rule for rules in sets for rule in rules]
    constants = tensor(_constants(rules, plan.batch_size)).view(-1, size, 7).transpose(1, 2)
    constants[:, 4].clamp_(min=torch.finfo(number).tiny)  # eps stays above 0
    tables = tensor([(r.scale_m, r.scale_g, r.root) for r in rules])
    tables = tables.view(-1, size, 3, tables.shape[-1]).permute(0, 3, 2, 1)

    lane_of, start = _lanes(problems, plan.start)
    lanes = start.shape[1]
    order = _orders(plan, chunk, device)
    a, b, c = (tensor([getattr(problem, name) for problem in problems]) for name in "abc")
    return Launch(
        terms=torch.empty(len(tiles), order.shape[1], size, dtype=number, device=device),
        arguments=(
            *_visits(order, tensor(lane_of)[tensor(problem_of)], lanes),
            a,
            b,
            c,
            tensor(start),
            constants.contiguous(),
            tables.contiguous(),
            tensor(group_of),
            tensor(problem_of[group_of]),
            tensor(rules_of),
            lanes,
            a.shape[1],
            order.shape[1],
            plan.batch_size,
        ),
        options={
            "RUNS": size,
            "COORDINATES": LANES // size,
            "ADAPTIVE": rules[0].adaptive,
            "USE_MAX": rules[0].use_max,
        },
        programs=len(tiles) * -(-lanes // (LANES // size)),
        kept=kept,
    )


def _distinct(items: list[Item], key: Callable[[Item], object]) -> tuple[list[Item], Indices]:
    """The different ones among `items`, and which of these each of them is."""
    known = {key(item): item for item in items}
    number = {name: k for k, name in enumerate(known)}
    return list(known.values()), np.array([number[key(item)] for item in items])


def _orders(plan: SimulationPlan, groups: list[Group], device: str) -> torch.Tensor:
    """The orders of some groups, int32 (groups, visits), where they can be drawn on the device."""
    if isinstance(plan.order, str) and plan.order == "reshuffle":
        seeds = [group.seed for group in groups]
        order = shuffles(seeds, plan.epochs, groups[0].problem.num_functions, device)
    else:
        order = torch.as_tensor(np.stack([plan.draw(group) for group in groups]), device=device)
    return order.view(len(groups), -1)


def _constants(rules: Iterable[TwoMoment], batch_size: int) -> list[tuple[float, ...]]:
    """What does not change from step to step: one row a run."""
    return [
        (r.decay1, r.weight1, math.sqrt(r.decay2), r.weight2, r.eps, r.shrink, 1.0 / batch_size)
        for r in rules
    ]


def _lanes(
    problems: list[QuadraticProblem], x0: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Coordinates in use, numbered: the lane of each function, and where each lane starts.

    Returns:
        int32 (problems, functions) and float64 (problems, lanes); with zeros after the lanes of a
        problem that has fewer.
    """
    numbered = [problem.lanes() for problem in problems]
    start = np.zeros((len(problems), max(used.size for used, _ in numbered)))
    for row, (used, _) in zip(start, numbered, strict=True):
        row[: used.size] = x0[used]
    return np.stack([lane for _, lane in numbered]), start


def _visits(
    order: torch.Tensor, lane_of: torch.Tensor, lanes: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The visits of each order (groups, visits) by lane and then by time; see `run_lanes`."""
    lane, place = lane_of.gather(1, order.long()).sort(dim=1, stable=True)
    every = torch.arange(lanes + 1, dtype=lane.dtype, device=lane.device)
    first = torch.searchsorted(lane, every.expand(len(lane), -1).contiguous(), out_int32=True)
    return place.int(), order.gather(1, place), first
