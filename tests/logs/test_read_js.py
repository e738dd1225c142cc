"""Reading logs in JavaScript, in Node: the same log as in Python, or refused as there."""

import json
import random
import subprocess
import time

import numpy as np
import pytest

from esp_lib.diagnosis.trial import synthetic
from esp_lib.diagnosis.trial import synthetic_files as formats
from tests.logs.corpus import BAD
from tests.logs.in_node import compare, mangled
from tests.node import module

# -------------------------------------------------------------------------------- what is compared


def corpus(folder):
    """(data, choices) of every file of the corpus."""
    files = formats.corpus(folder / "corpus")
    return [
        (folder.joinpath("corpus", name).read_bytes(), read) for name, (_, read) in files.items()
    ]


def written():
    """Runs of every label in every format, with other settings than in the corpus."""
    jobs = []

    def add(content, **choices):
        jobs.append((content if isinstance(content, bytes) else content.encode(), choices))

    for seed, label in enumerate(synthetic.RIGHT):
        T = (313, 50, 100)[seed % 3]
        every = (1, 7, 10)[seed % 3]
        run = synthetic.make(label, seed, steps_per_epoch=T, epochs=4, every=every, size=4)
        rows = run.steps - seed % 2  # from 0 or 1
        epoch = (run.steps - 1) / T
        columns = {"global_step": rows, "Epoch": np.floor(epoch), "train/loss": run.loss}
        for delimiter in ",;\t ":
            add(formats.csv_text(columns, delimiter))
        add(formats.csv_text({**columns, "Epoch": np.round(epoch, 3), "lr": 1 / (rows + 1.0)}))
        add(formats.json_lines(run))
        add(formats.lightning(run))
        two = formats.wandb({"a": run, "b": run})
        add(two)
        add(two, column="b - train/loss", validation_column="Step")
        for decimals in (2, 4, None):
            add(formats.trainer_state(run, decimals))
        for style in ("plain", "nanogpt", "keras", "tqdm", "pytorch", "megatron", "dict"):
            add(formats.printed(run, style), log_every=every)
        add(
            formats.printed(run, "dict"),
            pattern=r"'loss': (?P<loss>[\d.]+).*'epoch': (?P<epoch>\S+?)}",
        )
        tags = {"loss": (run.steps, run.loss), "val_loss": (run.steps[::9], run.loss[::9]),
                "epoch": (run.steps, epoch), "other": (run.steps, -run.loss)}  # fmt: skip
        tags = {tag: (a[:60], b[:60]) for tag, (a, b) in tags.items()}
        for new in (False, True):
            add(formats.events(tags, new))
            add(formats.events(tags, new), column="other")
    return jobs


def table(names, *columns, delimiter=","):
    rows = zip(*columns, strict=True)
    return "\n".join(delimiter.join(map(str, row)) for row in (names, *rows)) + "\n"


def shuffled_epochs(rng):
    """Steps and epochs, resumed, begun anew, from the middle, rounded, with gaps."""
    T, every = rng.choice([7, 12.5, 40, 100, 937]), rng.choice([1, 3, 10])
    steps = [s * every for s in range(rng.randrange(3), rng.randrange(20, 200))]
    if rng.random() < 0.4:  # resumed
        at = rng.randrange(len(steps))
        steps = steps[:at] + steps[max(0, at - rng.randrange(20)) :]
    offset = rng.choice([0, 0, 0, 1, 250])
    decimals = rng.choice([0, 0, 2, 4, 15])
    epochs = [round((s + offset) / T, decimals) for s in steps]
    if decimals == 0:
        epochs = [int((s - 1 + offset) // T) + rng.choice([0]) for s in steps]
    if rng.random() < 0.3:
        steps = [int(s % T) + 1 for s in steps]
    loss = [rng.choice([round(3 - i / 1e3, 4)] * 20 + ["nan", "", "inf", "x", "1e99", "-1"])
            for i in range(len(steps))]  # fmt: skip
    valid = [2.5 if rng.random() < 0.1 else "" for _ in steps]
    rate = [rng.choice([1e-3, 5e-05, ""]) for _ in steps]
    return table(["step", "epoch", "loss", "val_loss", "lr"], steps, epochs, loss, valid, rate)


def odd_texts():
    """Small logs with what is odd in one way each."""
    texts = [
        "#5", "#\n5", "5", "5 6", "1\n2\n3\n", "1,2\n3,4\n", "1;2\n3;4\n", "1\t2\n3\t4\n",
        "1,5;2\n", "\n\n3\n", "# a\n# b\nstep loss\n1 2\n2 3\n", "#step,loss\n1,2\n2,3",
        "# 1 2\n3 4\n", "## x\n#1,2\n3,4\n", "loss\n1\n2\n", "loss,\n1,\n2,\n", "a b\n1 2\n",
        "step,loss,loss\n1,2,3\n2,3,4", "step;loss\n1;2,5\n2;2,25\n", "Step,Value\n1,2\n2,3",
        "\ufeffstep,loss\n1,2\n2,3\n", "step,loss\r\n1,2\r\n2,3\r\n", "step,loss\r1,2\r2,3",
        'step,loss\n1,"2\n,3"\n4,5\n6,7', 'step,"lo""ss"\n1,2\n', '"step","loss"\n"1","2"\n"3","4"',
        'step,loss\n1,2"3\n2,"3"4\n3,""\n4,"5', 'step,loss,note\n1,2,"a\n\n2,3,b",\n3,4,c\n',
        'step,loss\n1,"' + "9" * 140_000 + '"\n', "step,loss\n1," + "9" * 140_000 + "\n2,3\n",
        "step,loss\n1,2\n2," + "9" * 140_000 + "\n3\n", "step, loss \n 1 , 2 \n 3 , +4. \n",
        "step,loss\n1,0x10\n2,1_0\n3,.5e1\n4,1e\n5,Infinity\n6,-nan\n7,٣\n8,\x1c1\n9,1\x0b\n",
        "step loss\n1\xa02\n2\u20033\n", "step loss\n1\x1f2\n2\x852\n", "a\x1cb loss\n1 2\n",
        "step,epoch,loss,val_loss\n5,1.0,2,\n5,1.5,,3\n", "epoch,step,loss\n2,5,1\n3,5,1\n4,6,1\n",
        "epoch,loss\n1,3\n1,2\n2,1\n", "step,loss\n-5,1\n0,2\n5,3\n", "step,loss\n0,1\n,2\n3,\n",
        "step,loss\n1e300,1\n1e301,2\n", "step,loss\n9007199254740993,1\n9007199254740992,2\n",
        "step,loss\n1.5,1\n2.25,2\n", "step,loss\n49,1\n99,2\n149,3\n",
        "step,loss,accuracy\n1,x,2\n", "step #5 loss 3\n# step # 6 loss # 2\n",
        "__proto__,constructor,loss\n1,2,3\n", "step,val_loss\n1,2\n2,3\n",
        "x - loss,y - loss\n1,2\n",
        "loss,train_loss,loss_avg\n1,2,3\n2,3,4\n", "step,loss\n" + "1,2\n" * 20_000,
        "step,loss\n" + "".join(f"{i},{i % 7}\n" for i in range(20_000)) + '30000,"4\n',
        "step 1 loss nané\nstep 2 loss 3\n", "step ٣ loss 2\nstep 4 loss 3",
        "lo\u017fs 2\nloss 3\n",
        "😀" * 4_000 + " loss 3\nloss 2\n", "x" * 3_990 + " loss 3\nloss 2\n", "loss: 2\x00\n",
        "[12:30:01] step 5 loss 2.5\n[12:30:02] step 6 loss 2.25\n", "{'loss': 2.1}\n{'loss': 2}",
        "Epoch 1/3\nloss 2\nEpoch 2/3\nloss 1\n",
        "1/10 loss 3\n2/10 loss 2\n1/10 loss 1\n2/10 loss 1",
        "\n".join(f"x{i}y loss 2" for i in range(6_000)), "step 10: val loss 2\nstep 10: loss 3",
        "\n".join(f"a{chr(97 + i % 26)}{'b' * (i // 26)}_loss 1" for i in range(120)),
        '{"loss": 1}', '{"loss": 1}\n', '{"loss": 1}\n{"loss": NaN}\n{"loss": -Infinity}\n{"lo',
        '{"loss": [1, NaN, "2", true, null, [3], "1_0"]}', "[1, -Infinity, 3]", "[1, -NaN]",
        '[1, 1NaN]', '["NaN", 2, "x"]', '[{"loss": 1, "s\\"NaN": NaN}, 5, {"loss": 2}]', "[]", "{}",
        '[true, 2, 3]', '{"a": [{"loss": 1}], "b": [{"loss": 2}, {"loss": 3}]}', "[[1, 2], [3]]",
        '{"loss": [1, 2], "step": [1], "val_loss": [3, 4]}', '{"log_history": []}', '"loss"', "{",
        '{"log_history": [{"loss": 1, "step": 5, "epoch": 0.5}], "max_steps": "20", '
        '"num_train_epochs": 2}', '{"log_history": [{"loss": 1}], "num_train_epochs": NaN}',
        '{"loss": 1, "loss": 2, "__proto__": 3}', '{"loss": "\\ud800"}', '[{"\\ud83d": 1}]',
        "[" * 5_000 + "]" * 5_000, '{"loss": 1, "x": ' + "[" * 5_000 + "]" * 5_000 + "}",
        '{"loss": 01}', '{"loss": 1e999}', '{"lo\tss": 1}', "[1,]",
        "\ud800,loss\n1,2\n", "\ufeff[1]",
    ]  # fmt: skip
    named = "step,foo,Bar Baz,it's,\u200b\n1,2,3,4,5\n2,3,4,5,6\n"
    extra = [(named, {"column": name}) for name in
             ("foo", "bar_baz", "FOO", "it's", 'a"\'\n', "\u200b", "", "x\ud800", "é")]  # fmt: skip
    extra += [(b"\xff\xfe" + texts[15].encode("utf-16le"), {}), (b"\xfe\xff\0", {})]
    extra += [(text.encode("utf-16"), {}) for text in texts[20:24]]
    extra += [(b"\xfe\xff" + texts[15].encode("utf-16be"), {})]
    extra += [(b"step,loss,\xe9\xff\xf0\x9f\n1,2,3\n", {"column": "x"}), (b"\0" * 60, {})]
    extra += [(named, {"column": "foo", "validation_column": "it's", "log_every": 10})]
    return [(text, {}) for text in texts] + extra + [(data, {}) for data, _ in BAD.values()]


def compare_mangled(node, folder, count, seed):
    """`compare` on mangled files of the corpus; benchmarks run it with a larger count."""
    contents = [data for data, _ in corpus(folder)]
    return compare(node, folder, [(data, {}) for data in mangled(contents, count, seed)])


# ------------------------------------------------------------------------------------------- tests


def test_every_format_is_read_as_in_python(node, tmp_path):
    jobs = corpus(tmp_path) + written()
    read, wrong = compare(node, tmp_path, jobs)
    assert wrong == []
    assert read == len(jobs)


def test_odd_logs_are_read_or_refused_as_in_python(node, tmp_path):
    rng = random.Random(3)
    jobs = odd_texts() + [(shuffled_epochs(rng), {}) for _ in range(200)]
    read, wrong = compare(node, tmp_path, jobs)
    assert wrong == []
    assert 250 < read < len(jobs) - 30


def test_mangled_logs_are_read_or_refused_as_in_python(node, tmp_path):
    read, wrong = compare_mangled(node, tmp_path, 400, seed=0)
    assert wrong == []
    assert 40 < read < 360


def test_hostile_logs_are_refused_or_read_as_in_python(node, tmp_path):
    texts = ["loss: " * 300_000, "1/" * 500_000, "epoch (" * 200_000, "-" * 2_000_000,
             "[" * 1_000_000,
             '{"a":' * 1_000_000, "[]," * 100_000, "#" * 1_000_000, '{"a": "' + '\\"' * 500_000,
             "step,loss\n1,2\n" + '"' * 1_000_000, "step,loss\n1,2\n" + "1," * 1_000_000,
             "step,loss\n1," + "9" * 1_000_000 + "x\n2,3\n", "\ud800" * 100_000 + "\nloss 2",
             "step " + " " * 1_000_000 + "loss",
             "a," * 6_000_000 + "\n" + "1," * 6_000_000]  # fmt: skip
    began = time.perf_counter()
    _, wrong = compare(node, tmp_path, [(text, {}) for text in texts])
    assert [(data[:20], *sides) for data, _, *sides in wrong] == []
    assert time.perf_counter() - began < 60


MILLION = """import(process.argv[1]).then(({ parseLog }) => {
  const rows = Array.from({ length: 1e6 }, (_, i) => `${i + 1},${(2 + Math.sin(i)).toFixed(4)}`);
  const data = new TextEncoder().encode(`step,loss\\n${rows.join("\\n")}`);
  const began = process.cpuUsage();
  const log = parseLog(data);
  const { user, system } = process.cpuUsage(began);
  console.log(JSON.stringify([log.loss.length, (user + system) / 1e6]));
})"""


@pytest.mark.timing
def test_a_million_rows_are_read_in_seconds(node, tmp_path):
    path = module(tmp_path, "logs/read.js").as_uri()
    done = subprocess.run([node, "-e", MILLION, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows, seconds = json.loads(done.stdout)
    assert rows == 1_000_000
    assert seconds < 5
