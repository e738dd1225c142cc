"""How much one training step of BERT computes and moves, and how fast a machine could do that.

Source: the roofline model of Williams, Waterman and Patterson (CACM 52(4), 2009,
doi 10.1145/1498765.1498785): a step takes at least the time of its arithmetic at the machine's peak
rate, and at least the time of its memory traffic at the machine's bandwidth. Peaks of NVIDIA's GPUs
are those of their data sheets, without sparsity (https://www.nvidia.com/en-us/data-center/h100/ and
.../h200/); any other device is measured.

Symbols as in `esp_lib.bert.model`: B pairs of L tokens, K predictions, hidden H, feed-forward F,
vocabulary V, N blocks.
"""

import time
from typing import NamedTuple

import torch

from esp_lib.bert.config import PretrainConfig, count_parameters


class Peak(NamedTuple):
    """What a machine can do at most."""

    flops: dict[str, float]  # a second, by precision
    bandwidth: float  # bytes a second
    source: str


# By the beginning of the name that torch reports, longer names first.
DATA_SHEET = {
    "NVIDIA H100 PCIe": Peak({"float32": 51e12, "bfloat16": 756e12}, 2.0e12, "data sheet"),
    "NVIDIA H100 80GB": Peak({"float32": 67e12, "bfloat16": 989e12}, 3.35e12, "data sheet, SXM"),
    "NVIDIA H200 NVL": Peak({"float32": 60e12, "bfloat16": 835e12}, 4.8e12, "data sheet"),
    "NVIDIA H200": Peak({"float32": 67e12, "bfloat16": 989e12}, 4.8e12, "data sheet, SXM"),
}


def step_flops(config: PretrainConfig, predictions: float) -> float:
    """Additions and multiplications of the matrix products of one step, padding included.

    A CPU leaves the padding out (`bert.model.Places`): its steps take fewer.

    Forward, 2 for each weight and row, and for each pair of tokens in attention:
    2 (N B L (4 H^2 + 2 H F) + 2 N B L^2 H + K (H^2 + H V) + B (H^2 + 2 H)). The gradients of both
    factors of a product cost as much each, hence three times that.

    Args:
        config: the run.
        predictions: K, hidden words told in a step.
    """
    B, L, V, H, F, N = _sizes(config)
    linear = N * B * L * (4 * H**2 + 2 * H * F) + predictions * (H**2 + H * V) + B * (H**2 + 2 * H)
    attention = 2 * N * B * L**2 * H
    return 3.0 * 2.0 * (linear + attention)


def step_bytes(config: PretrainConfig, predictions: float) -> float:
    """Bytes that one step must move to and from memory, if nothing stays in a cache; roughly.

    For n weights, of which m in layers that multiply: Adam reads a weight, its gradient and both
    averages and writes all but the gradient, 28 n; gradients are written, 4 n (nearly all of the
    embedding's are zeros); layers read their weights forward and backward, 8 m in float32; with
    bfloat16 copies and gradients of them are written and read besides, 14 m. A block's activations,
    10 H + 2 F numbers a token, are written, read, read again for the gradient, and their gradients
    written and read: 5 times, each number 4 bytes, or 2 where bfloat16 holds it (all but sums and
    norms, 4 H). The K V scores of words pass 9 times through softmax, loss and both gradients: 36
    bytes a score, 42 with the conversions from and to bfloat16.
    """
    B, L, V, H, F, N = _sizes(config)
    n = count_parameters(config.model)
    m = n - (V + 2 + config.model.positions) * H
    half = _precision(config) == "bfloat16"
    weights = 28 * n + 4 * n + (14 if half else 8) * m
    token = 2 * (6 * H + 2 * F) + 4 * 4 * H if half else 4 * (10 * H + 2 * F)
    return weights + 5.0 * N * B * L * token + predictions * V * (42 if half else 36)


def _precision(config: PretrainConfig) -> str:
    """That of the run; "auto" is a GPU's."""
    return "bfloat16" if config.precision == "auto" else config.precision


def least_seconds(config: PretrainConfig, predictions: float, peak: Peak) -> float:
    """The roofline: the longer of the times of arithmetic and of traffic."""
    arithmetic = step_flops(config, predictions) / peak.flops[_precision(config)]
    return max(arithmetic, step_bytes(config, predictions) / peak.bandwidth)


def find_peak(device: torch.device, precisions: list[str]) -> Peak:
    """A device's peak: its data sheet's, else measured."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for beginning, peak in DATA_SHEET.items():
            if name.startswith(beginning):
                return peak
    flops = {precision: _product_rate(device, precision) for precision in precisions}
    return Peak(flops, _copy_rate(device), "measured: a matrix product and a copy")


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _product_rate(device: torch.device, precision: str) -> float:
    """FLOPs a second of a large matrix product, the best of five."""
    n = 2048 if device.type == "cpu" else 8192
    a, b = (torch.randn(n, n, device=device, dtype=getattr(torch, precision)) for _ in range(2))
    out = torch.empty_like(a)
    return 2.0 * n**3 / _best_seconds(device, lambda: torch.mm(a, b, out=out))


def _copy_rate(device: torch.device) -> float:
    """Bytes read and written a second by a copy of 256 MiB, the best of five."""
    source = torch.zeros(2**28, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2.0 * source.numel() / _best_seconds(device, lambda: target.copy_(source))


def _best_seconds(device: torch.device, call) -> float:
    call()
    taken = []
    for _ in range(5):
        synchronize(device)
        began = time.perf_counter()
        call()
        synchronize(device)
        taken.append(time.perf_counter() - began)
    return min(taken)


def _sizes(config: PretrainConfig) -> tuple[int, int, int, int, int, int]:
    model = config.model
    sizes = model.vocabulary, model.hidden, model.feed_forward, model.blocks
    return config.batch_size, config.corpus.max_len, *sizes
