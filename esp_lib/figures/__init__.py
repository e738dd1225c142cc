"""Figures: data in, axes out, and `show`, which puts them on a page."""

from esp_lib.figures.curves import (
    band,
    drawable,
    epoch_lines,
    label_lines,
    loss_curves,
    published_against_ours,
    signed_log,
    span,
)
from esp_lib.figures.page import Shown, page_svg, show
from esp_lib.figures.style import (
    BETA2,
    BLUE,
    COLORS,
    GREEN,
    GREY,
    GRID,
    INK,
    KINDS,
    NARROW,
    ORANGE,
    ORDER_COLORS,
    PANEL,
    PURPLE,
    SOFT,
    STYLE,
    VALIDATION,
    WIDE,
    beta2_color,
    legend,
    panel,
    wide,
)

__all__ = [
    "BETA2", "BLUE", "COLORS", "GREEN", "GREY", "GRID", "INK", "KINDS", "NARROW", "ORANGE",
    "ORDER_COLORS", "PANEL", "PURPLE", "SOFT", "STYLE", "VALIDATION", "WIDE", "Shown", "band",
    "beta2_color", "drawable", "epoch_lines", "label_lines", "legend", "loss_curves", "page_svg",
    "panel", "published_against_ours", "show", "signed_log", "span", "wide",
]  # fmt: skip
