"""The picture of the sawtooth: the paper's toy at two values of beta2, one run each.

The README shows it; `python -m esp_lib picture FILE.svg` writes it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from esp_lib import figures
from esp_lib.optimizers.adam import Adam
from esp_lib.quadratic.problem import QuadraticProblem
from esp_lib.quadratic.simulation import simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours of the dark theme, `book/css/esp.css`.
DARK = {
    "ink": "#dfe3e8",
    "soft": "#a9b3be",
    "grid": "#373e47",
    "blue": "#70b4f3",
    "green": "#4cc29c",
}


def sawtooth_axes() -> "Axes":
    """Loss of one run of the paper's toy at beta2 of 0.999 and 0.8, mean over two steps."""
    betas = (0.999, 0.8)
    curve = simulate(QuadraticProblem.sample(), Adam(lr=0.06, beta1=0.9, beta2=betas))
    return figures.loss_curves(
        {f"β₂ = {b:g}": curve[i] for i, b in enumerate(betas)},
        every=2,
        colors=[figures.beta2_color(b) for b in betas],
        ax=figures.wide(),
    )


def write_picture(path: Path) -> None:
    """Write the picture as an SVG file that follows the viewer's light or dark preference."""
    width, height = (72 * inches for inches in figures.WIDE)
    svg = figures.page_svg(sawtooth_axes().figure, "sawtooth")
    svg = svg.replace(
        'aria-hidden="true" focusable="false"', f'width="{width:g}" height="{height:g}"', 1
    )
    dark = "".join(f"--esp-{name}: {value}; " for name, value in DARK.items())
    style = f"<style>@media (prefers-color-scheme: dark) {{ svg {{ {dark}}} }}</style>"
    head, rest = svg.split(">", 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{head}>{style}{rest}\n", encoding="utf8")
