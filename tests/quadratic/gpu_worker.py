"""Runs that `tests/quadratic/test_gpu.py` compares; as a program, takes them through Triton.

`python -m tests.quadratic.gpu_worker OUT.npz cuda` on a GPU. Without one, `TRITON_INTERPRET=1
python -m tests.quadratic.gpu_worker OUT.npz cpu`: the interpreter runs the kernels in NumPy. It
has to be told so before Triton is imported, hence a process of its own.
"""

import sys
from typing import Any, NamedTuple

import numpy as np

from esp_lib import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    NAdam,
    Nesterov,
    QuadraticProblem,
    RMSProp,
    make_order,
)
from esp_lib.optimizers.ablated_adam import PARTS, without
from esp_lib.optimizers.base import Optimizer
from esp_lib.quadratic.plan import make_plan
from esp_lib.sampling.orders import ORDERS


class Case(NamedTuple):
    """One call of `simulate`."""

    problem: QuadraticProblem
    rule: Optimizer
    order: Any = "reshuffle"
    epochs: int = 2
    batch_size: int = 6
    seed: Any = 5
    x0: Any = 3.0

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(list(self._asdict().items())[2:])


ADAM = Adam(lr=0.06, beta2=0.8)
RULES: dict[str, Optimizer] = {
    "Adam without momentum": Adam(lr=0.06, beta1=0.0, beta2=0.9, eps=1e-5),
    "AdamW": AdamW(lr=0.06, beta2=0.9, weight_decay=0.05),
    "AMSGrad": AMSGrad(lr=0.06, beta2=0.8),
    "NAdam": NAdam(lr=0.06, beta2=0.9),
    "RMSProp": RMSProp(lr=0.06, beta=0.8),
    "SGD": SGD(lr=3.0, momentum=0.9),
    "Nesterov": Nesterov(lr=2.0, momentum=0.8),
    "Adagrad": Adagrad(lr=1.0),
}
SPARSE = QuadraticProblem.sample(30, 35, seed=3)  # shared coordinates and unused ones; one program
DENSE = QuadraticProblem.sample(40, 9, seed=1)  # a batch visits a coordinate more than once
WIDE = QuadraticProblem.sample(180, 400, seed=2)  # three programs, the last not full
SEVERAL = QuadraticProblem.sample(40, 50, seed=np.arange(3)[:, None])  # not equally many lanes
SEEDS = np.array([[4], [7], [4]])
BETA2 = np.linspace(0.75, 0.999, 17)  # no power of two: the last tile is filled up

CASES = {
    **{f"{name} reshuffle": Case(SPARSE, rule) for name, rule in RULES.items()},
    **{f"Adam {order}": Case(SPARSE, ADAM, order) for order in ORDERS},
    **{f"without {part}": Case(SPARSE, without(part, Adam(0.06))) for part in PARTS},
    "dense": Case(DENSE, ADAM, batch_size=20),
    "dense, replacement": Case(DENSE, ADAM, "replacement", batch_size=20),
    "wide": Case(WIDE, ADAM, epochs=1, batch_size=30),
    "one coordinate": Case(QuadraticProblem.sample(12, 1), ADAM, batch_size=4),
    "one step": Case(DENSE, ADAM, epochs=1, batch_size=40),
    "batches of one": Case(DENSE, Adam(0.06, beta2=[0.8, 0.99]), batch_size=1),
    "map": Case(DENSE, Adam(0.06, beta2=BETA2[:, None], eps=[1e-8, 1e-3]), batch_size=8),
    "a warp of settings": Case(QuadraticProblem.sample(8, 6), SGD(np.full(60, 0.1)), batch_size=4),
    "problems, seeds, settings": Case(
        SEVERAL, Adam(0.06, beta2=[0.999, 0.8]), seed=SEEDS, batch_size=10, epochs=2
    ),
    "explicit": Case(
        DENSE, ADAM,
        make_order("reverse", num_functions=40, epochs=2, batch_size=8), batch_size=8,
        x0=np.linspace(-3, 3, 9),
    ),
    "diverging": Case(DENSE, SGD([1.0, 1e9, 1e150], 0.9), epochs=4, batch_size=5),
    "beyond all reason": Case(DENSE, Adam(lr=[1e308, 9.0], beta2=0.0), batch_size=8),
}  # fmt: skip
IN_FLOAT32 = ["Adam reshuffle", "NAdam reshuffle", "SGD reshuffle", "without eps", "wide"]
ORDERS_OF = {  # seeds, epochs, functions
    "three seeds": ([5, 0, 2**32 - 1], 3, 60),
    "two programs": ([4] * 13, 5, 33),
    "more epochs than lanes": ([1, 2], 40, 7),
    "one function": ([3], 1, 1),
    "two functions": ([9, 8], 4, 2),
}
IN_PARTS = "problems, seeds, settings"  # run again, one tile a launch


def main() -> None:
    from esp_lib.quadratic._triton import run_on_triton
    from esp_lib.sampling._triton import shuffles

    path, device = sys.argv[1:]
    made: dict[str, Any] = {
        name: shuffles(*given, device).cpu().numpy() for name, given in ORDERS_OF.items()
    }
    for name, case in CASES.items():

        def run(case: Case = case, **options: Any) -> Any:
            plan = make_plan(case.problem, case.rule, **case.arguments)
            loss = run_on_triton(plan, device, **options)
            return loss.reshape(*plan.shape, plan.steps)

        made[name] = run()
        if name in IN_FLOAT32:
            made[f"{name}, float32"] = run(dtype="float32")
        if name == IN_PARTS:
            made[f"{name}, in parts"] = run(memory=1)
    np.savez(path, **made)


if __name__ == "__main__":
    main()
