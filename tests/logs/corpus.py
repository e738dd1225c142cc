"""Logs that are none, and good ones with something wrong in them."""

from esp_lib.diagnosis.trial.synthetic_files import event_record, message

BAD = {
    "empty": (b"", "empty"),
    "blank": (b"\n \n\t\n", "empty"),
    "binary": (b"\x00\x01\x02" * 50, "binary"),
    "compressed": (b"\x1f\x8b\x08" + b"x" * 50, "compressed"),
    "a comment alone": (b"#5", "no line reads as a training loss"),
    "words": (b"hello world\nnothing here\n", "no line reads as a training loss"),
    "cut off JSON": (b'{"log_history": [{"loss": 1.5, "step"', "begins as JSON but is none"),
    "deep JSON": (b"[" * 100_000, "nested too deeply"),
    "deep objects": (b'{"a":' * 100_000, "nested too deeply"),
    "other JSON": (b'{"a": 1, "b": "x"}', "no column reads as a training loss"),
    "header alone": (b"step,loss\n", "no line reads as a training loss"),
    "no loss": (b"step,accuracy\n1,0.5\n2,0.6\n", "name it with column=: 'step', 'accuracy'"),
    "nothing finite": (b"step,loss\n1,nan\n2,inf\n", "no finite loss"),
    "many columns": (b"loss" + b",a" * 20_000 + b"\n1" + b",1" * 20_000, "columns"),
    "event file without scalars": (
        event_record(message(3, b"brain.Event:2")), "no scalar"),
}  # fmt: skip
