"""The device that a call names: whether it is there, what it is, whether its memory ran out.

torch is loaded in the functions, so that reading records does not need it.
"""

import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def device_name(device: str) -> str:
    """The processor, or the GPU where one is used, and how many cores."""
    if device != "cpu":
        import torch

        return f"{torch.cuda.get_device_name(device)} ({device})"
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = re.findall(r"model name\s*:\s*(.+)", info.read_text())
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def is_device(name: object) -> bool:
    """Whether a device may be called so, here or on another machine."""
    return re.fullmatch(r"cpu|cuda(:(0|[1-9][0-9]*))?", str(name)) is not None


def check_device(name: str) -> "torch.device":
    """A device that is there.

    Raises:
        ValueError: no "cpu", "cuda" or "cuda:<number>", or torch finds no such GPU.
    """
    if not is_device(name):
        raise ValueError(f'device must be "cpu", "cuda" or "cuda:<number>", got {name!r}')
    try:
        import torch
    except ImportError:
        raise ValueError(f'device must be "cpu" without torch installed, got {name!r}') from None
    device = torch.device(name)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        have = f"has {count} GPUs that torch can use" if count else "has no GPU torch can use"
        raise ValueError(f'device must be there, got {name!r}: this machine {have}; use "cpu"')
    return device


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was too small; on a CPU torch says so in a plain RuntimeError."""
    import torch

    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)
