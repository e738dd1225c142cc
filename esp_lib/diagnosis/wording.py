"""What a diagnosis says, in words: verdicts, advice, answers."""

from typing import Any

# What to do, by cause: sentences, each with the section of the book that shows it.
ADVICE: dict[str | None, tuple[tuple[str, str], ...]] = {
    "reshuffling": (
        ("The teeth alone are no fault: judge the model by its validation loss, and compare runs "
         "at the same phase of an epoch or over whole epochs.",
         "01_introduction.html#what-to-do-about-it"),
        ("What drives the loss up within an epoch, and what is remembered across the boundary.",
         "04_mechanism.html"),
        ("To make them smaller: raise β₂ or ε, enlarge the batch, or let the learning rate decay. "
         "Each has its price.",
         "06_beyond.html#what-to-do-about-it-and-what-it-costs"),
        ("In a language model: how the teeth look, and what makes them larger or smaller.",
         "03_factors.html#all-factors-on-one-ruler"),
    ),
    "fixed order": (
        ("Shuffle the data anew every epoch: check the loader's shuffle option, the sampler's "
         "set_epoch in distributed training, and that no seed is set inside the epoch loop.",
         "03_factors.html#shuffling-and-drawing-with-replacement"),
        ("What a fixed order does to the loss, and why it flattens the curve without helping.",
         "06_beyond.html#staleness-why-the-order-matters"),
    ),
    "periodic order": (
        ("Look for what comes round with the epoch: sorted or grouped samples, shards read in "
         "order, a shuffle buffer that is too small, a reversed order.",
         "06_beyond.html#the-shapes-of-four-orders"),
    ),
    "boundary artefact": (
        ("Log the training loss before evaluation, and keep what is evaluated out of it; switch "
         "back to training mode and reset the logger's sums after each evaluation.",
         "08_your_run.html#what-each-cause-looks-like"),
    ),
    "learning-rate steps": (
        ("Nothing to mend: the loss drops because the learning rate does. Log the rate beside the "
         "loss, and compare with a run at a constant rate if you look for a sawtooth.",
         "02_phenomenon.html#does-it-go-away-when-the-learning-rate-falls"),
    ),
    "running average": (
        ("Log the loss of the step, or its mean over a fixed number of steps, rather than the mean "
         "since the epoch began.",
         "08_your_run.html#what-each-cause-looks-like"),
    ),
    "staircase": (
        ("Each epoch starts lower because its samples were seen before. Watch the validation loss: "
         "when it no longer falls, further epochs only memorize.",
         "01_introduction.html#what-to-do-about-it"),
        ("How a staircase differs from a sawtooth.",
         "01_introduction.html#four-words-for-it"),
    ),
    None: (
        ("What is measured, and from how many points.",
         "01_introduction.html#four-words-for-it"),
        ("What a log must have for an answer, and what no log can tell.",
         "08_your_run.html#what-no-log-can-tell"),
    ),
}  # fmt: skip
# What each cause means to somebody who asks: a bug, overfitting, or shuffling?
ANSWERS = {
    "reshuffling": "No bug: reshuffling the data every epoch does this to a model that still knows "
    "what it saw last.",
    "fixed order": "The data come in the same order every epoch. If you meant to shuffle them, "
    "this is a bug.",
    "periodic order": "Something in the order of the data comes round with every epoch. If you "
    "meant to shuffle them, this is a bug.",
    "boundary artefact": "Single points at the boundary are off: logging or evaluation makes "
    "them, not training.",
    "learning-rate steps": "The loss drops where the learning rate does.",
    "running average": "The log shows a mean that begins anew in every epoch. The steps "
    "themselves don't drop.",
    "staircase": "Each epoch starts lower and does not climb: the model knows its samples better "
    "with every pass.",
    "none": "The loss does not drop at the epoch boundaries.",
    "cannot tell": "The log does not carry an answer; below is what is missing.",
}
OVERFITTING = (
    "Apart from that, the validation loss has risen since step {step:g} while the training loss "
    "kept falling: the model overfits. This is a separate matter; stop there, or regularize."
)
VERDICTS = {
    "sawtooth": "Sawtooth: the training loss drops at epoch boundaries and climbs in between.",
    "none": "No sawtooth.",
    "cannot tell": "Cannot tell.",
}


def words() -> dict[str, Any]:
    """What is prose here, as JSON has it, for `report.js`.

    Returns:
        `advice` by cause ("null" for none), `verdicts`, and the sentence `overfitting` with a
        field for the step.
    """
    table = {cause or "null": [list(line) for line in lines] for cause, lines in ADVICE.items()}
    return {"advice": table, "verdicts": VERDICTS, "overfitting": OVERFITTING}
