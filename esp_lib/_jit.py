"""How loops are compiled: Numba's options, once for all of the library.

Source: https://numba.readthedocs.io/en/stable/user/performance-tips.html. This module loads Numba.
"""

from collections.abc import Callable
from typing import Any

import numba

# error_model="numpy": a division by zero gives inf, as in IEEE 754, and the loops vectorize.
OPTIONS: Any = {"nogil": True, "error_model": "numpy"}


def jit(function: Callable[..., Any]) -> Any:
    """Compile, and keep the result on disk where there is a place to write it."""
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(**OPTIONS)(function)
