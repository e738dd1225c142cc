"""Maps small enough for tests."""

import pytest

from esp_lib.maps.grid import compute, config_of
from esp_lib.widgets import MapExplorer
from esp_lib.widgets.maps import maps as module


def small_maps(side=12, seeds=1):
    """The explorer of maps of so many cells a side, with so many problems a cell."""

    def small(name, **_):
        config = config_of(name, side=side, seeds=seeds)
        return compute(config), config, None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "find_map", small)
        return MapExplorer()
