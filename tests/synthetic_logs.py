"""The labelled logs of the library, under the names that tests use."""

from esp_lib.synthetic_formats import *  # noqa: F403
from esp_lib.synthetic_logs import *  # noqa: F403
