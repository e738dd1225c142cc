"""A static line chart in SVG that holds an explorer's place where it can't run.

It is shown with JavaScript off, before the first live drawing, and where a page's scripts can't be
loaded. Colours are the book's CSS variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike

from esp_lib.figures.style import COLORS

WIDTH, HEIGHT = 640, 368  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 18, 40


@dataclass(frozen=True)
class Line:
    """One curve: finite points are joined; `color` is one of the book's, "" is no label."""

    x: ArrayLike
    y: ArrayLike
    color: str
    label: str
    faint: bool = False


def line_figure(
    name: str,
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    caption: str,
    boundaries: Iterable[float] = (),
    from_zero: bool = True,
) -> str:
    """HTML of a figure with these lines and epoch boundaries, for the explorer called `name`.

    The axes begin at zero, or just before the lines if not `from_zero`.
    """
    xs, ys = (
        np.concatenate([np.asarray(getattr(line, axis), float) for line in lines]) for axis in "xy"
    )
    keep = np.isfinite(xs) & np.isfinite(ys)
    if not keep.any():
        xs, ys, keep = np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([True, True])
    x0, x1 = float(xs[keep].min()), float(xs[keep].max())
    y0, y1 = float(ys[keep].min()), float(ys[keep].max())
    if from_zero:
        x0, y0, y1 = min(0.0, x0), min(0.0, y0), y1 * 1.04
    else:
        room = 0.06 * (y1 - y0) or 0.1
        y0, y1 = y0 - room, y1 + room

    def to_x(x: float) -> float:
        return LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def to_y(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - BOTTOM - TOP)

    grid = "stroke:var(--esp-grid,#d5dae0)"
    parts = [
        f'<path class="esp-boundary" d="M{to_x(at):.1f} {TOP}V{HEIGHT - BOTTOM}" style="{grid}"/>'
        for at in boundaries
    ]
    parts += [
        _text(to_x(value), HEIGHT - BOTTOM + 16, "middle", f"{value:g}") for value in ticks(x0, x1)
    ]
    for value in ticks(y0, y1):
        at = to_y(value)
        parts.append(
            f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" style="{grid};stroke-opacity:.45"/>'
        )
        parts.append(_text(LEFT - 8, at + 4, "end", f"{value:g}"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "middle", x_label))
    parts.append(_text(4, 11, "start", y_label))
    seen = [line for line in lines if np.isfinite(np.asarray(line.y, float)).any()]
    for line in seen:
        points = zip(np.asarray(line.x, float), np.asarray(line.y, float), strict=True)
        path = "L".join(
            f"{to_x(x):.1f} {to_y(y):.1f}" for x, y in points if np.isfinite([x, y]).all()
        )
        color = f"var(--esp-{line.color},{COLORS[line.color]})"
        look = "stroke-width:1.5;stroke-opacity:.55" if line.faint else "stroke-width:2"
        parts.append(f'<path d="M{path}" style="fill:none;stroke:{color};{look}"/>')
    parts.extend(_labels([line for line in seen if line.label], to_y))
    names = ", ".join(line.label for line in lines if line.label)
    alt = escape(f"{y_label} against {x_label}: {names}")
    return (
        f'<figure class="esp-figure esp-fallback" data-for="{name}">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{alt}"'
        f' font-size="12.5" font-family="sans-serif">{"".join(parts)}</svg>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round values that cut [low, high] into at most `count` parts."""
    raw = (high - low) / count
    unit = 10.0 ** np.floor(np.log10(raw))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= raw * (1 - 1e-9))
    return [
        float(f"{k * step:.12g}") for k in range(int(np.ceil(low / step)), int(high / step) + 1)
    ]


def _text(
    x: float, y: float, anchor: str, text: str, color: str = "var(--esp-soft,#57606a)"
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} style="fill:{color}">{escape(text)}</text>'


def _labels(lines: Sequence[Line], to_y: Callable[[float], float]) -> list[str]:
    """Each line's name above its end, pushed apart."""
    placed: list[tuple[float, Line]] = []
    for line in lines:
        y = np.asarray(line.y, float)
        tail = y[np.isfinite(y)][-max(1, y.size // 5) :]
        placed.append((to_y(float(tail.max())) - 8, line))
    texts, below = [], float("inf")
    for at, line in sorted(placed, key=lambda item: -item[0]):
        below = max(TOP + 14.0, min(at, below - 16))
        texts.append(
            _text(
                WIDTH - RIGHT - 4,
                below,
                "end",
                line.label,
                f"var(--esp-{line.color},{COLORS[line.color]})",
            )
        )
    return texts
