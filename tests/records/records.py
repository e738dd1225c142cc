"""A record made up, and what it holds."""

import numpy as np

from esp_lib.records.record import RunRecord


def make_record(**changes) -> RunRecord:
    fields = {
        "name": "beta2-0.8",
        "profile": "quick",
        "seed": 3,
        "config": {"beta2": 0.8, "steps_per_epoch": 4, "layers": (1, 2), "note": "β₂", "cut": None},
        "arrays": {"mlm_loss": np.linspace(7, 4, 12), "done": np.array([True, False])},
        "made": {"seconds": 12.5, "device": "abacus", "date": "2026-01-02T03:04:05+00:00"},
        "status": "finished",
    }
    return RunRecord(**{**fields, **changes})


def content(record: RunRecord) -> tuple[object, ...]:
    """All of a record, for comparison."""
    scalars = {k: v for k, v in vars(record).items() if k != "arrays"}
    arrays = {k: (a.dtype.str, a.shape, a.tobytes()) for k, a in record.arrays.items()}
    return scalars, arrays
