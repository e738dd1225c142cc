"""Explorer of the maps: amplitude and final loss over two hyper-parameters, to zoom and to read.

The maps are those of `esp_lib.maps.grid`, computed in Python; cells travel as three significant
digits, which is what is read. Scales and colours are those of `esp_lib.maps.figures`.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from esp_lib import _checks
from esp_lib.maps.figures import COLORS, NAMES, SCALES, TICKS, Scale, draw_map
from esp_lib.maps.grid import MAPS, Axis, HyperMap, MapConfig
from esp_lib.maps.recorded import find_map
from esp_lib.records.record import RunRecord
from esp_lib.widgets.base import Explorer, shown, static_page
from esp_lib.widgets.fields import Choice, Field
from esp_lib.widgets.packing import MISSING

Array = NDArray[np.float64]

ZERO = MISSING - 1  # the integer of 0
STOPS = 65  # colours that travel; the front end interpolates

TITLES = {
    "map-beta2-eps": "ε and β₂",
    "map-betas": "β₁ and β₂",
    "map-batch": "learning rate and batch size",
}

FIELDS: tuple[Field, ...] = (
    Choice("map", "Map", tuple(TITLES.values())),
    Choice("show", "Colour", tuple(scale.name for scale in SCALES.values())),
)


class MapExplorer(Explorer):
    """The three maps of `maps.grid`; a click or Enter opens a point in the sawtooth explorer.

    A map that is recorded is shown as it is; any other is computed when the explorer is made.

    Args:
        device: where maps without a record are computed.
        side: cells along their sides.
        **settings: `map` ("ε and β₂", "β₁ and β₂", "learning rate and batch size") and `show`
            ("settled amplitude", "final loss").

    Attributes:
        maps: the maps by name, as in `esp_lib.maps.grid.MAPS`.
        configs: what determined them.
        records: the run records of those that are recorded.
    """

    name = "maps"
    script = "maps/maps"
    field_list = FIELDS
    defaults = {"map": TITLES["map-beta2-eps"], "show": "settled amplitude"}  # noqa: RUF012
    caption = (
        "A map of the explorer; where it is hatched, the loss ends above its start. With "
        "JavaScript it can be zoomed and read, and so can the others."
    )

    def __init__(self, device: str = "cpu", side: int = 32, **settings: Any) -> None:
        _checks.integer("side", side, low=4, high=128)
        found = {name: find_map(name, device=device, side=side) for name in MAPS}
        self.maps: dict[str, HyperMap] = {name: one[0] for name, one in found.items()}
        self.configs: dict[str, MapConfig] = {name: one[1] for name, one in found.items()}
        self.records: list[RunRecord] = [one[2] for one in found.values() if one[2]]
        self.data = {"maps": [self._as_json(name) for name in MAPS], "ramp": ramp()}
        super().__init__(**settings)

    @property
    def point(self) -> dict[str, Any]:
        """Settings for `SawtoothExplorer` of the cell that was opened last; {} for none."""
        return dict(self.plot.result.get("point", {}))

    def static_figure(self) -> str:
        """HTML of a figure that stands in where the explorer can't run."""
        name = next(key for key, title in TITLES.items() if title == self.settings["map"])
        key = next(key for key, scale in SCALES.items() if scale.name == self.settings["show"])
        ax = draw_map(self.maps[name], self.configs[name], key)
        alt = f"Map of the {SCALES[key].name} over {TITLES[name]}"
        return static_page(self.name, ax, self.caption, alt)

    def _as_json(self, name: str) -> dict[str, Any]:
        config, found = self.configs[name], self.maps[name]
        return {
            "title": TITLES[name],
            "x": _axis(config.x, found.x),
            "y": _axis(config.y, found.y),
            "base": dict(config.base),
            "layers": [_layer(getattr(found, key), scale) for key, scale in SCALES.items()],
        }


def ramp() -> list[str]:
    """The colours from the smallest value to the largest, evenly spaced."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    return [to_hex(color) for color in mpl.colormaps[COLORS](np.linspace(0, 1, STOPS))]


def three_digits(values: Array) -> str:
    """Numbers rounded to three digits, as 16-bit integers in base64, row by row.

    The digits d (100 to 999), the exponent e (-20 to 15) and the sign of d 10^e make the integer
    2 (900 (e + 20) + d - 100), and 1 more for a negative number. Nearer to 0 than these is 0.

    Raises:
        ValueError: a number too large for that.
    """

    def code(value: float) -> int:
        if not np.isfinite(value):
            return MISSING
        digits, exponent = f"{abs(value):.2e}".split("e")
        e = int(exponent) - 2
        if e > 15:
            raise ValueError(f"values must be below 1e18 in size, got {value:g}")
        if value == 0 or e < -20:
            return ZERO
        return 2 * (900 * (e + 20) + int(digits.replace(".", "")) - 100) + (value < 0)

    codes = np.array([code(value) for value in values.ravel().tolist()], "<u2")
    return base64.b64encode(codes.tobytes()).decode()


def _layer(values: Array, scale: Scale) -> dict[str, Any]:
    """One quantity of a map (rows, columns)."""
    first, last = scale.ends(values)
    places = [((scale.t(value) - first) / (last - first), value) for value in scale.ticks]
    return {
        "name": scale.name,
        "values": three_digits(values),
        "offset": scale.offset,
        "knee": scale.knee,
        "colors": [first, last],
        "ticks": [
            {"at": float(at), "text": shown(value)}
            for at, value in places
            if -1e-9 <= at <= 1 + 1e-9
        ],
    }


def _axis(axis: Axis, values: Array) -> dict[str, Any]:
    """The values of an axis, and ticks where they lie, in cells."""
    return {
        "setting": axis.name,
        "name": NAMES[axis.name],
        "values": [int(v) if axis.name == "batch_size" else float(v) for v in values],
        "ticks": [
            {"at": axis.place(value, values.size), "text": shown(value)}
            for value in TICKS[axis.name]
        ],
    }
