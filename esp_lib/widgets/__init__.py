"""Explorers: ipywidgets controls linked to a drawing that the reader's browser computes.

The same explorer is live in Jupyter, where its values are at hand in Python, and on the built
page, with no kernel and no server. Each module here has its front end in `js/`.
"""

from esp_lib.widgets.comparison.two_rules import TwoRulesExplorer
from esp_lib.widgets.finetuning.budget import BudgetExplorer
from esp_lib.widgets.finetuning.early import EarlyExplorer
from esp_lib.widgets.maps.maps import MapExplorer
from esp_lib.widgets.network.network import NetworkExplorer
from esp_lib.widgets.one_visit import OneVisitExplorer
from esp_lib.widgets.packing import Recording
from esp_lib.widgets.predict.predict import Plane, PredictExplorer
from esp_lib.widgets.recorded import RecordedExplorer, recording
from esp_lib.widgets.sawtooth import SawtoothExplorer
from esp_lib.widgets.similarity import SimilarityExplorer
from esp_lib.widgets.two_samples import TwoSampleExplorer
from esp_lib.widgets.why import WhyExplorer
from esp_lib.widgets.your_run.your_run import YourRun

__all__ = [
    "BudgetExplorer",
    "EarlyExplorer",
    "MapExplorer",
    "NetworkExplorer",
    "OneVisitExplorer",
    "Plane",
    "PredictExplorer",
    "RecordedExplorer",
    "Recording",
    "SawtoothExplorer",
    "SimilarityExplorer",
    "TwoRulesExplorer",
    "TwoSampleExplorer",
    "WhyExplorer",
    "YourRun",
    "recording",
]
