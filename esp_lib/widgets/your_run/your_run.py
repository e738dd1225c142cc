"""Explorer of the reader's own run: drop, choose or paste a training log and read the diagnosis.

The log is read and diagnosed in the browser by the twins of `logs.read` and `diagnosis.diagnosis`,
which give the same numbers; it never leaves the page. With a kernel the diagnosis comes
back to Python, as `esp-diagnose --json` writes it.
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from esp_lib import _checks
from esp_lib.diagnosis.trial.examples import Example, example_logs
from esp_lib.figures import BLUE, epoch_lines, label_lines
from esp_lib.widgets._assets import front_end, style
from esp_lib.widgets.base import static_axes, static_page


class YourRun(anywidget.AnyWidget):
    """Diagnosis of a log, in the page.

    Args:
        time_limit: seconds after which a diagnosis is given up.

    Attributes:
        diagnosis: of the log that was diagnosed last, as `esp-diagnose --json` writes it; empty
            before the first, and after a log that could not be read.

    Raises:
        ValueError: `time_limit` is not positive.
    """

    _esm = front_end("widgets/your_run/your_run.js")
    _css = style()

    name = traitlets.Unicode("your-run").tag(sync=True)
    examples: Any = traitlets.List().tag(sync=True)
    time_limit = traitlets.Float().tag(sync=True)
    diagnosis = traitlets.Dict().tag(sync=True)  # from the front end

    def __init__(self, time_limit: float = 60.0) -> None:
        super().__init__(
            time_limit=float(_checks.real("time_limit", time_limit, low=0, low_open=True)),
            examples=[_as_json(example) for example in example_logs()],
        )
        self.add_class("esp-explorer")

    def static_figure(self) -> str:
        """HTML of a figure that stands in where the explorer can't run."""
        run = example_logs()[0].run
        ax = static_axes("epoch", "training loss")
        ax.plot(run.steps / run.steps_per_epoch, run.loss, color=BLUE, label="an example")
        epoch_lines(ax, run.steps[-1] // run.steps_per_epoch)
        label_lines(ax)
        caption = (
            "A loss with the sawtooth. With JavaScript this figure is live, and you can drop a log "
            "of your own here; without it, the command esp-diagnose says the same."
        )
        return static_page(self.name, ax, caption)

    def _ipython_display_(self) -> None:
        """Show the static figure, then the explorer, which takes its place when it is drawn."""
        from IPython.display import HTML, display

        display(HTML(self.static_figure()))
        shown = self._repr_mimebundle_()  # None without a display
        data, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        display(data, metadata=metadata, raw=True)


def _as_json(example: Example) -> dict[str, Any]:
    return {
        "title": example.title,
        "file": example.file,
        "text": example.text,
        "steps_per_epoch": example.steps_per_epoch,
    }
