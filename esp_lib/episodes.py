"""Which fine-tuning runs each profile has."""

from typing import TYPE_CHECKING

from esp_lib import checks
from esp_lib.parameters import PROFILES

if TYPE_CHECKING:
    from esp_lib.pretrain import PretrainConfig


def pretraining(profile: str) -> "PretrainConfig":
    """The pre-training of the network that a profile fine-tunes.

    `paper` has the paper's BERT-tiny; `cpu` the sizes of Google's BERT-tiny (Turc et al., 2019).
    Masks are drawn anew each epoch, since here the network is to learn and not to memorize.
    """
    from dataclasses import replace

    from esp_lib.bert import BertConfig
    from esp_lib.corpus import CorpusConfig
    from esp_lib.factors import base
    from esp_lib.pretrain import PretrainConfig

    checks.choice("profile", profile, PROFILES)
    if profile == "cpu":
        return PretrainConfig(
            corpus=CorpusConfig(vocabulary=8000, max_len=64, pairs=32_000, valid_pairs=2_000),
            model=BertConfig(
                vocabulary=8000, hidden=128, feed_forward=512, heads=2, blocks=2, positions=64
            ),
            epochs=12,
            masking="dynamic",
            lr=4e-4,
            schedule="linear",
            validate_every=250,
            validation_pairs=512,
        )
    return replace(base(profile), masking="dynamic")
