"""What determines a fine-tuning run; nothing here loads torch."""

from dataclasses import dataclass, field

from esp_lib import _checks
from esp_lib.bert.config import SCHEDULES, PretrainConfig
from esp_lib.finetuning.glue import GLUE, TASKS
from esp_lib.sampling.orders import check_batch_size


@dataclass(frozen=True)
class EpisodesConfig:
    """What runs of all networks have in common: all data orders of one initialization."""

    task: str = "sst2"  # one of `glue.TASKS`
    examples: int = 2048  # to train on, the first of the task's
    max_len: int = 40  # tokens of an example
    order_seeds: int = 10  # data orders: seeds 0, 1, ...
    epochs: int = 3
    batch_size: int = 32
    lr: float = 3e-4
    schedule: str = "linear"  # warm-up, then towards zero after the last step; or "constant"
    warm_up: float = 0.1  # share of all steps in which a linear schedule rises
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.01  # decoupled (AdamW)
    evaluations: int = 10  # an epoch
    seed: int = 0  # of the new layers' first weights

    def __post_init__(self) -> None:
        _checks.choice("task", self.task, TASKS)
        _checks.choice("schedule", self.schedule, SCHEDULES)
        _checks.integer("examples", self.examples, low=1)
        check_batch_size(self.batch_size, self.examples)
        _checks.integer("max_len", self.max_len, low=8)
        _checks.integer("order_seeds", self.order_seeds, low=1)
        _checks.integer("epochs", self.epochs, low=1)
        _checks.integer("evaluations", self.evaluations, low=1, high=self.steps_per_epoch)
        for name in ("lr", "eps", "weight_decay"):
            _checks.real(name, getattr(self, name), low=0)
        _checks.real("warm_up", self.warm_up, low=0, high=1)
        for name in ("beta1", "beta2"):
            _checks.real(name, getattr(self, name), low=0, high=1, high_open=True)
        _checks.seeds("seed", [self.seed])

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one epoch."""
        return self.examples // self.batch_size

    @property
    def steps(self) -> int:
        """Batches in an episode."""
        return self.epochs * self.steps_per_epoch


@dataclass(frozen=True)
class FinetuneConfig(EpisodesConfig):
    """A run of a network of ours, all of whose weights are trained."""

    task: str = "order"
    pretraining: PretrainConfig = field(default_factory=PretrainConfig)  # of the network

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.choice("task", self.task, ("order",))
        _checks.integer("max_len", self.max_len, low=8, high=self.pretraining.model.positions)


@dataclass(frozen=True)
class UpperLayersConfig(EpisodesConfig):
    """A run of a published encoder, whose upper layers are trained."""

    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    trained: int = 1  # layers, from the top
    examples: int = 4096
    max_len: int = 128
    order_seeds: int = 5
    first_order: int = 0  # data orders: seeds first_order, first_order + 1, ...
    lr: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.choice("task", self.task, GLUE)
        _checks.integer("trained", self.trained, low=1)
        _checks.seeds("first_order", [self.first_order])
