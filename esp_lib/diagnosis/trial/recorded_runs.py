"""The recorded runs of BERT as logs to diagnose, and what must come out. Shown in chapter 8."""

from esp_lib.diagnosis.diagnosis import diagnose
from esp_lib.diagnosis.report import Diagnosis
from esp_lib.records.record import RunRecord


def diagnose_record(record: RunRecord) -> Diagnosis:
    """Diagnosis of the loss on hidden words, as it was logged at every step."""
    loss = record.arrays["mlm_loss"].astype(float)
    return diagnose(loss, steps_per_epoch=int(record.config["steps_per_epoch"]))


def expected(record: RunRecord) -> tuple[str, str | None]:
    """Verdict and cause that are right: no drop without pairs that come back in whole epochs."""
    if record.config["order"] == "fixed":
        return "none", "fixed order"
    if record.config["order"] == "replacement" or record.config["masking"] == "dynamic":
        return "none", None
    return "sawtooth", "reshuffling"
