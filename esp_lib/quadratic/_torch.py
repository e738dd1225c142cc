"""`simulate` on a GPU without Triton: torch steps all settings of a group together.

The same two-moment form as `_numba`, over tensors (settings, coordinates in use). For machines
whose torch comes without Triton, as on Windows; elsewhere `_triton` takes one launch.
"""

import numpy as np
from numpy.typing import NDArray

from esp_lib.optimizers.base import TwoMoment
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.sampling.orders import Order


def run_on_torch(
    problem: QuadraticProblem,
    x0: NDArray[np.float64],
    order: Order,
    batch_size: int,
    rules: list[TwoMoment],
    device: str,
    dtype: str = "float64",
) -> NDArray[np.float64]:
    """Mean batch losses of several settings on one problem and order; see `_numba.run_on_cpu`.

    Returns:
        float64 (len(rules), steps).
    """
    import torch

    number = getattr(torch, dtype)

    def tensor(values: object) -> "torch.Tensor":
        whole = torch.as_tensor(np.asarray(values), device=device)
        return whole.to(number) if whole.is_floating_point() else whole

    used, lane_of = problem.lanes()
    steps = order.size // batch_size
    batches = tensor(order.reshape(steps, batch_size)).long()
    lane = tensor(lane_of)
    a, b, c = map(tensor, (problem.a, problem.b, problem.c))
    decay1, weight1, decay2, weight2, eps, shrink = (
        tensor([getattr(rule, name) for rule in rules])[:, None]
        for name in ("decay1", "weight1", "decay2", "weight2", "eps", "shrink")
    )
    eps = eps.clamp(min=torch.finfo(number).tiny)  # above 0 in float32 too
    scale_m, scale_g, root = (
        tensor([getattr(rule, name) for rule in rules]) for name in ("scale_m", "scale_g", "root")
    )
    x = tensor(x0[used]).repeat(len(rules), 1)  # (settings, lanes)
    m, v, v_max = (torch.zeros_like(x) for _ in range(3))
    loss = torch.empty(len(rules), steps, dtype=number, device=device)
    for t in range(steps):
        batch = batches[t]
        u = x[:, lane[batch]] - c[batch]  # (settings, batch_size)
        au = a[batch] * u
        loss[:, t] = (au * u + b[batch]).mean(dim=1)
        g = torch.zeros_like(x).index_add_(1, lane[batch], 2.0 * au / batch_size)
        m = decay1 * m + weight1 * g
        step = scale_m[:, t, None] * m + scale_g[:, t, None] * g
        if rules[0].adaptive:
            v = decay2 * v + weight2 * g**2
            v_max = torch.maximum(v_max, v)
            second = v_max if rules[0].use_max else v
            step = step / (root[:, t, None] * second.sqrt() + eps)
        x = shrink * x - step
    return loss.double().cpu().numpy()
