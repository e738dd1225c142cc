"""What the explorers have in common: controls linked to a drawing, settings, a static figure.

An explorer is an ipywidgets box with the drawing (an anywidget, whose front end computes and
draws) and its controls. Each control is tied by `jslink` to a trait of the drawing, so the page
works without a kernel; with one, `settings` and the latest result are the same on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from math import log10
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets as widgets
import traitlets

from esp_lib.figures import page_svg, panel
from esp_lib.widgets._assets import front_end, style
from esp_lib.widgets.fields import Choice, Field, Number, Settings, Switch, Value, check_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Plot(anywidget.AnyWidget):
    """The drawing of an explorer; the linked traits are added by `plot_class`."""

    _css = style()

    name = traitlets.Unicode().tag(sync=True)
    fields: Any = traitlets.List().tag(sync=True)
    settings = traitlets.Dict().tag(sync=True)
    pinned = traitlets.Dict().tag(sync=True)  # settings of the reference curve; {} for none
    can_pin = traitlets.Bool(False).tag(sync=True)
    presets: Any = traitlets.List().tag(sync=True)  # [{label, settings, pinned}]
    preset_index = traitlets.Int(0).tag(sync=True)  # 0: none of them
    data = traitlets.Dict().tag(sync=True)  # what is drawn, if the front end doesn't compute it
    result = traitlets.Dict().tag(sync=True)  # headline numbers, from the front end
    result_loss = traitlets.CBytes().tag(sync=True)  # float64, from the front end (as a memoryview)


def plot_class(script: str, fields: Sequence[Field]) -> type[Plot]:
    """The drawing whose front end is `{script}.js`, with a trait for each control."""
    traits: dict[str, Any] = {"_esm": front_end(f"widgets/{script}.js")}
    for field in fields:
        if isinstance(field, Choice):
            traits[f"{field.name}_index"] = traitlets.Int().tag(sync=True)
        elif isinstance(field, Switch):
            traits[f"{field.name}_on"] = traitlets.Bool().tag(sync=True)
        else:
            traits[f"{field.name}_text"] = traitlets.Unicode().tag(sync=True)
        if isinstance(field, Number) and field.step:
            traits[f"{field.name}_slider"] = traitlets.Float().tag(sync=True)
    return type("Plot", (Plot,), traits)


class Explorer(widgets.Box):
    """Base of all explorers; a subclass gives fields, defaults, presets and a front end.

    Args:
        **settings: start values, see the subclass; the others are the subclass's defaults.

    Raises:
        ValueError: an unknown setting, or a value that is not allowed.
    """

    name: str  # of the explorer, in links and in the page
    script: str  # its front end
    field_list: tuple[Field, ...]
    defaults: Settings
    caption: str  # of the static figure
    data: Mapping[str, Any] = {}  # for the front end, in JSON's types
    pinned_at_start: Mapping[str, Value] | None = None  # what differs in the reference curve
    preset_list: tuple[tuple[str, Mapping[str, Value], Mapping[str, Value]], ...] = ()
    front: tuple[str, ...] = ()  # settings seen at once, the others one click away; () for all

    def __init__(self, **settings: Any) -> None:
        start = check_settings(self.field_list, settings, self.defaults)
        pinned: Settings = {}
        if self.pinned_at_start is not None:
            pinned = check_settings(self.field_list, self.pinned_at_start, start)
        self.plot = plot_class(self.script, self.field_list)(
            name=self.name,
            fields=[asdict(field) for field in self.field_list],
            pinned=pinned,
            can_pin=self.pinned_at_start is not None,
            data=dict(self.data),
            presets=[self._preset(*preset) for preset in self.preset_list],
        )
        self.plot.observe(self._mirror, "settings")
        self.plot.settings = start
        controls = widgets.Box(self._controls())
        controls.add_class("esp-controls")
        super().__init__([self.plot, controls])
        self.add_class("esp-explorer")

    @property
    def settings(self) -> Settings:
        """The settings in force; change them with `set`."""
        return dict(self.plot.settings)

    def set(self, **settings: Any) -> None:
        """Change settings, in the drawing and in its controls; ValueError for a bad one."""
        self.plot.settings = check_settings(self.field_list, settings, self.plot.settings)

    def draw_static(self) -> Axes:
        """What the explorer shows at its settings, drawn by Matplotlib."""
        raise NotImplementedError

    def static_figure(self) -> str:
        """HTML of a figure that stands in where the explorer can't run."""
        return static_page(self.name, self.draw_static(), self.caption)

    def _ipython_display_(self) -> None:
        """Show the static figure, then the explorer, which takes its place when it is drawn."""
        from IPython.display import HTML, display

        display(HTML(self.static_figure()))
        display(self._repr_mimebundle_(), raw=True)

    def _preset(
        self, label: str, changes: Mapping[str, Value], pinned: Mapping[str, Value]
    ) -> dict[str, Any]:
        settings = check_settings(self.field_list, changes, self.defaults)
        reference = check_settings(self.field_list, pinned, settings) if pinned else {}
        return {"label": label, "settings": settings, "pinned": reference}

    def _mirror(self, _change: object) -> None:
        """Controls show the settings also where no front end does it: in a page being built."""
        for field in self.field_list:
            value = self.plot.settings[field.name]
            if isinstance(field, Choice):
                self.plot.set_trait(f"{field.name}_index", field.options.index(value))
                continue
            if isinstance(field, Switch):
                self.plot.set_trait(f"{field.name}_on", value)
                continue
            text = ", ".join(map(shown, value)) if isinstance(value, list) else shown(value)
            self.plot.set_trait(f"{field.name}_text", text)
            if isinstance(field, Number) and field.step:
                self.plot.set_trait(f"{field.name}_slider", float(value))

    def _controls(self) -> list[widgets.Widget]:
        boxes = {field.name: self._control(field) for field in self.field_list}
        if self.preset_list:
            labels = ["(none)", *(label for label, _, _ in self.preset_list)]
            boxes = {"preset": self._dropdown("preset", "Preset", labels), **boxes}
        if self.front:
            seen = [boxes.pop(name) for name in self.front]
            for box in boxes.values():
                box.add_class("esp-behind")
            return [*seen, *boxes.values()]
        return list(boxes.values())

    def _dropdown(self, name: str, label: str, options: Sequence[object]) -> widgets.Widget:
        menu = widgets.Dropdown(
            description=label,
            options=[(str(option), k) for k, option in enumerate(options)],
            index=getattr(self.plot, f"{name}_index"),
        )
        widgets.jslink((menu, "index"), (self.plot, f"{name}_index"))
        return _field_box(name, [menu])

    def _control(self, field: Field) -> widgets.Widget:
        if isinstance(field, Choice):
            return self._dropdown(field.name, field.label, field.options)
        if isinstance(field, Switch):
            on = getattr(self.plot, f"{field.name}_on")
            check = widgets.Checkbox(description=field.label, value=on, indent=False)
            widgets.jslink((check, "value"), (self.plot, f"{field.name}_on"))
            return _field_box(field.name, [check])
        box = widgets.Text(
            description=field.label,
            value=getattr(self.plot, f"{field.name}_text"),
            continuous_update=False,
        )
        widgets.jslink((box, "value"), (self.plot, f"{field.name}_text"))
        if not (isinstance(field, Number) and field.step):
            return _field_box(field.name, [box])
        slider = _slider(field, getattr(self.plot, f"{field.name}_slider"))
        widgets.jslink((slider, "value"), (self.plot, f"{field.name}_slider"))
        return _field_box(field.name, [box, slider])


def static_axes(x_label: str, y_label: str) -> Axes:
    """New axes for the figure that stands in for an explorer, of the explorer's proportions."""
    return panel(size=(5.6, 3.2), xlabel=x_label, ylabel=y_label)


def static_page(name: str, ax: Axes, caption: str, alt: str = "") -> str:
    """HTML of the figure that stands in for the explorer called `name`.

    Without JavaScript, before the first live drawing, and where a page's scripts can't be loaded.
    """
    names = ", ".join(text.get_text() for text in ax.texts)  # beside their lines
    alt = alt or f"{ax.get_ylabel()} against {ax.get_xlabel()}: {names}"
    return (
        f'<figure class="esp-figure esp-fallback" data-for="{name}">'
        f'<div role="img" aria-label="{escape(alt)}">{page_svg(ax.figure, f"{name}-static")}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _field_box(name: str, children: list[widgets.Widget]) -> widgets.Widget:
    box = widgets.Box(children)
    box.add_class("esp-field")
    box.add_class(f"esp-field-{name}")
    return box


def _slider(field: Number, value: float) -> widgets.Widget:
    if field.log:
        low, high = log10(field.low), log10(field.high)
        return widgets.FloatLogSlider(
            value=value, min=low, max=high, step=field.step, readout=False
        )
    high = field.high - field.step if field.highOpen else field.high
    return widgets.FloatSlider(value=value, min=field.low, max=high, step=field.step, readout=False)


def shown(value: object) -> str:
    """A number as the front end writes it: 0.8, 100, 1e-8."""
    if not isinstance(value, float):
        return str(value)
    if value != 0 and abs(value) < 1e-3:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:.15g}"
