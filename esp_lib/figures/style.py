"""One visual language: colours, sizes and empty axes of every figure.

Colours are those of `book/css/esp.css`. Axes come from `panel` (half the text's width; panels stack
on a phone) or `wide` (the whole width).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Light-theme colours by the name of their CSS variable, --esp-<name>.
COLORS = {
    "ink": "#1f2328", "soft": "#57606a", "grid": "#d5dae0", "paper": "#ffffff",
    "blue": "#0b62a8", "orange": "#b35309", "green": "#09765a", "purple": "#8a3f94",
    "grey": "#6a737d",
}  # fmt: skip
BLUE, ORANGE, GREEN = COLORS["blue"], COLORS["orange"], COLORS["green"]
PURPLE, GREY, INK, SOFT, GRID = (COLORS[c] for c in ("purple", "grey", "ink", "soft", "grid"))
# What a colour means, in every chapter and explorer. Orange and green are values of beta2 and
# nothing else. Blue is also the usual setting, from which one thing was changed: `KINDS` is for
# kinds that have no colour of their own, the usual one first.
BETA2 = {
    0.999: BLUE, 0.99: BLUE, 0.9: ORANGE, 0.82: GREY, 0.8: GREEN, 0.79: GREY, 0.78: PURPLE,
    0.7: INK,
}  # fmt: skip
ORDER_COLORS = {"reshuffle": BLUE, "fixed": PURPLE, "reverse": INK, "replacement": GREY}
KINDS = (BLUE, PURPLE, GREY, INK)
VALIDATION = GREY
PANEL, WIDE, NARROW = (3.7, 2.9), (7.6, 3.3), (3.7, 3.1)  # inches, 72 points each
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": f"cycler('color', {list(KINDS)})",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def beta2_color(beta2: float) -> str:
    """The colour of a beta2, as in the paper: 0.999 blue, 0.9 orange, 0.8 green; see `BETA2`."""
    return BETA2.get(round(float(beta2), 6), PURPLE)


def panel(title: str = "", *, size: tuple[float, float] = PANEL, **subplot: Any) -> "Axes":
    """New axes in a figure of their own, half the width of the text.

    Args:
        title: above the axes, at the left.
        size: width and height in inches.
        subplot: properties of the axes, as Matplotlib's `add_subplot` takes them.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        return Figure(figsize=size).add_subplot(title=title, **subplot)


def wide(title: str = "", **subplot: Any) -> "Axes":
    """New axes in a figure of their own, the width of the text."""
    return panel(title, size=WIDE, **subplot)


def legend(ax: "Axes", **options: Any) -> None:
    """A legend in the style of the page; options as Matplotlib's `legend` takes them."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        ax.legend(**options)
