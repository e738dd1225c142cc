"""What the GPU's kernels become on Hopper, seen without a GPU: registers, spills, instructions.

Triton compiles for a GPU that need not be there, and brings `cuobjdump`, which shows the machine
code (SASS). Rates are those of compute capability 9.0 in the CUDA C++ Programming Guide, table
"Throughput of Native Arithmetic Instructions"; clock and number of multiprocessors are an H200's,
and give the peaks of its data sheet: 34 TFLOP/s in float64, 67 in float32
(https://www.nvidia.com/en-us/data-center/h200/).
"""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

MULTIPROCESSORS = 132
CLOCK = 1.98e9  # a second
BANDWIDTH = 4.8e12  # bytes a second
# Threads whose instruction a multiprocessor can start in a cycle, by kind; "any" is the schedulers.
RATES = {"any": 128, "float64": 64, "float32": 128, "special": 16, "memory": 32}
KINDS = {
    "float64": r"D(ADD|MUL|FMA|SETP)",
    "float32": r"F(ADD|MUL|FMA|SETP|SEL)",
    "special": r"MUFU",  # first guesses of 1 / x and of roots
    "memory": r"(LD|ST)G",
}

Instruction = tuple[int, str, str, int | None]  # address, predicate, operation, target of a jump


class MachineCode(NamedTuple):
    """A compiled kernel."""

    ptx: str
    registers: int  # a thread
    spilled: int  # bytes of stack and local memory a thread
    shared: int  # bytes of shared memory a program
    code: list[Instruction]


class StepCode(NamedTuple):
    """Instructions of a thread of `run_lanes`, by kind."""

    step: dict[str, int]  # in a step without a visit
    visit: dict[str, int]  # what a step with one visit takes besides


def compile_steps(
    dtype: str, runs: int, use_max: bool = False, adaptive: bool = True
) -> tuple[MachineCode, StepCode]:
    """Compile `run_lanes` for an H100 or H200.

    Args:
        dtype: "float64" or "float32".
        runs: runs of a program, a power of two up to LANES.
        use_max: as for AMSGrad.
        adaptive: False as for SGD.
    """
    from esp_lib.quadratic_triton import LANES, OPTIONS, run_lanes

    number = {"float64": "fp64", "float32": "fp32"}[dtype]
    types = dict.fromkeys(run_lanes.arg_names, f"*{number}")
    types |= dict.fromkeys(("place", "function", "first"), "*i32")
    types |= dict.fromkeys(("group_of", "problem_of", "rules_of"), "*i64")
    types |= dict.fromkeys(("lanes", "functions", "visits", "batch_size"), "i32")
    constants = {
        "RUNS": runs, "COORDINATES": LANES // runs, "ADAPTIVE": adaptive, "USE_MAX": use_max,
    }  # fmt: skip
    machine = _compile(run_lanes, types, constants, OPTIONS)
    step, visit = _step(machine.code)
    return machine, StepCode(_count(step), _count(visit))


def compile_shuffles() -> MachineCode:
    """Compile `run_shuffles` for an H100 or H200."""
    from esp_lib.orders_triton import CONSTANTS, OPTIONS, run_shuffles

    types = {"order": "*i32", "seeds": "*i64", "rows": "i32", "epochs": "i32", "n": "i32"}
    return _compile(run_shuffles, types, CONSTANTS, OPTIONS)


def _compile(
    kernel: Any, types: dict[str, str], constants: dict[str, Any], options: dict[str, Any]
) -> MachineCode:
    """A kernel for compute capability 9.0, taken apart."""
    import triton
    from triton import knobs
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature = types | dict.fromkeys(constants, "constexpr")
    ordered = {name: signature[name] for name in kernel.arg_names}
    aligned: Any = {  # torch's tensors begin at such addresses, and a launch tells Triton so
        (k,): [["tt.divisibility", 16]]
        for k, kind in enumerate(ordered.values())
        if kind.startswith("*")
    }
    source = ASTSource(fn=kernel, signature=ordered, constexprs=constants, attrs=aligned)
    done = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(done.asm["cubin"])
        tool = knobs.nvidia.cuobjdump.path
        usage, sass = (
            subprocess.run([tool, what, str(path)], capture_output=True, text=True, check=True)
            for what in ("-res-usage", "-sass")
        )
    used = {key: int(n) for key, n in re.findall(r"(REG|STACK|SHARED|LOCAL):(\d+)", usage.stdout)}
    return MachineCode(
        done.asm["ptx"], used["REG"], used["STACK"] + used["LOCAL"], used["SHARED"],
        _instructions(sass.stdout),
    )  # fmt: skip


def least_cycles(instructions: dict[str, int]) -> float:
    """Cycles that one multiprocessor needs for these instructions of one warp, at the least."""
    return max(32 * instructions[kind] / rate for kind, rate in RATES.items())


def _instructions(sass: str) -> list[Instruction]:
    line = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+)?\s*([A-Z][\w.]*)([^;]*);")
    found = []
    for address, predicate, operation, rest in line.findall(sass):
        target = re.search(r"0x([0-9a-f]+)\s*$", rest) if operation.startswith("BRA") else None
        jump = int(target[1], 16) if target else None
        found.append((int(address, 16), predicate, operation, jump))
    return found


def _step(code: list[Instruction]) -> tuple[list[Instruction], list[Instruction]]:
    """The path through a step without a visit, and the block that it jumps over.

    The loop over steps is the one that the last jump backwards closes. In it, a jump over the
    search for the least place (REDUX) is the one of a step without a visit, and a jump over a CALL
    avoids what division does with numbers near the ends of the range.
    """
    begin, end = max(
        (jump, address)
        for address, predicate, _, jump in code
        if jump is not None and jump < address and not predicate
    )
    position = {address: k for k, (address, *_) in enumerate(code)}
    path, skipped = [], []
    k = position[begin]
    while code[k][0] <= end:
        address, predicate, _, jump = code[k]
        path.append(code[k])
        if jump is not None and predicate and jump > address:
            over = code[k + 1 : position[jump]]
            searches = any(o.startswith("REDUX") for _, _, o, _ in over)
            if searches:
                skipped = over
            if searches or any(o.startswith("CALL") for _, _, o, _ in over):
                k = position[jump]
                continue
        if address == end:
            break
        k += 1
    return path, skipped


def _count(instructions: list[Instruction]) -> dict[str, int]:
    counts = {
        kind: sum(bool(re.match(pattern, o)) for _, _, o, _ in instructions)
        for kind, pattern in KINDS.items()
    }
    return {"any": len(instructions)} | counts
