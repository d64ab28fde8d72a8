"""Samples on disk: what was recorded is read back by pyarrow itself, also from a file that was cut off."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bench.sample import COLUMNS, NO_TIME, Cause, Freshness, Outcome, Phase
from bench.samples.recorder import ROWS, Recorder

NAMES = [name for name, _ in COLUMNS]
WORD_PLACES = [place for place, (_, kind) in enumerate(COLUMNS) if kind == "word"]


def read(path: Path) -> list[dict[str, Any]]:
    """Every row that can be read, as plain values."""
    rows: list[dict[str, Any]] = []
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
        try:
            for batch in stream:
                rows += batch.to_pylist()
        except (pa.ArrowInvalid, OSError):
            pass
    return rows


def sample(recorder: Recorder, number: int, **words: str) -> dict[str, Any]:
    """Record one sample in which every column differs from every other; what must be read back."""
    words = {
        "outcome": "ok",
        "cause": "",
        "phase": "measure",
        "variant": "key",
        "deployment": "blue",
        "freshness": "fresh",
        "request_class": "large",
        "late_cause": "users",
        "tokens_from": "usage",
    } | words
    word_columns = {
        "outcome": recorder.outcomes,
        "cause": recorder.causes,
        "phase": recorder.phases,
        "variant": recorder.variants,
        "deployment": recorder.deployments,
        "freshness": recorder.freshnesses,
        "request_class": recorder.request_classes,
        "late_cause": recorder.late_causes,
        "tokens_from": recorder.tokens_from,
    }
    values: dict[str, Any] = {}
    for place, (name, kind) in enumerate(COLUMNS):
        values[name] = (
            words[name] if kind == "word" else number % 50 + place if kind == "uint8" else number * 100 + place
        )
    recorder.record(
        *(word_columns[name].code(values[name]) if name in word_columns else values[name] for name in NAMES)
    )
    return values


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w0.arrows"


@pytest.mark.parametrize("count", [0, 1, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS + 7])
def test_round_trip(count: int, path: Path) -> None:
    """Every value of every column, in order, whether or not the last batch is full."""
    recorder = Recorder(path, metadata={"run_id": "r", "worker": "w0"})
    expected = [sample(recorder, number % 600) for number in range(count)]
    recorder.close()
    assert (recorder.recorded, recorder.written) == (count, count)
    assert read(path) == expected


def test_the_layout_is_that_of_the_noun(path: Path) -> None:
    """Names, types and order of `bench.sample.COLUMNS`; run and worker in the metadata."""
    Recorder(path, metadata={"run_id": "r", "worker": "w0"}).close()
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
        schema = stream.schema
    assert schema.names == NAMES
    for field, (_, kind) in zip(schema, COLUMNS, strict=True):
        assert str(field.type).startswith("dictionary<values=string, indices=uint8" if kind == "word" else kind)
    assert schema.metadata == {b"run_id": b"r", b"worker": b"w0", b"format": b"2"}


def test_the_extremes_of_every_column(path: Path) -> None:
    """The smallest and the largest value that fits; a time that never happened is -1."""
    limits = {"int64": (NO_TIME, 2**63 - 1), "uint32": (0, 2**32 - 1), "uint16": (0, 65_535), "uint8": (0, 255)}
    recorder = Recorder(path, metadata={})
    recorder.variants.code("key")
    for end in (0, 1):
        recorder.record(*(limits[kind][end] if kind != "word" else 0 for _, kind in COLUMNS))
    recorder.close()
    low, high = read(path)
    for name, kind in COLUMNS:
        if kind != "word":
            assert (low[name], high[name]) == limits[kind]


def test_the_known_words_are_known_from_the_start(path: Path) -> None:
    """Their codes do not depend on the order in which they happen."""
    recorder = Recorder(path, metadata={})
    for words, enum in (
        (recorder.outcomes, Outcome),
        (recorder.causes, Cause),
        (recorder.phases, Phase),
        (recorder.freshnesses, Freshness),
    ):
        assert list(words.codes) == [word.value for word in enum]
    recorder.close()


def test_words_may_come_later(path: Path) -> None:
    """A deployment that appears in the middle of a run is a word from then on; the rows before keep theirs."""
    recorder = Recorder(path, metadata={})
    expected = []
    for number, deployment in enumerate(("blue", "blue", "green", "blue", "", "green", "été")):
        expected.append(sample(recorder, number, deployment=deployment))
        recorder.flush()
    recorder.close()
    assert read(path) == expected


def test_more_words_than_there_are_codes(path: Path) -> None:
    """Beyond 255 the rest share one word; nothing breaks, and no other word is lost."""
    recorder = Recorder(path, metadata={})
    expected = [sample(recorder, number, deployment=f"d{number}") for number in range(300)]
    recorder.close()
    got = [row["deployment"] for row in read(path)]
    wanted = [row["deployment"] for row in expected]
    known = len(recorder.deployments.codes) - 2  # less the empty word and `...`
    assert known >= 250
    assert got == wanted[:known] + ["..."] * (300 - known)
    assert max(recorder.deployments.codes.values()) <= 255


def test_a_file_that_was_cut_off_keeps_its_whole_batches(path: Path) -> None:
    """Wherever the cut is: the rows before the batch it is in are all there, and they are right."""
    recorder = Recorder(path, metadata={})
    expected = []
    ends = []
    for batch in range(5):
        expected += [sample(recorder, batch * 100 + number) for number in range(100)]
        recorder.flush()
        ends.append(path.stat().st_size)
    recorder.close()
    whole = path.read_bytes()
    rng = random.Random(1)
    for cut in sorted({*ends, *(rng.randrange(ends[0], len(whole)) for _ in range(60))}):
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends)
        assert read(path) == expected[: complete * 100], cut


def test_a_killed_process_keeps_what_was_flushed(path: Path) -> None:
    """SIGKILL between two flushes."""
    program = f"""
import os, signal
from pathlib import Path
from tests.samples.test_recorder import sample
from bench.samples.recorder import Recorder
recorder = Recorder(Path({str(path)!r}), metadata={{}})
for number in range(500): sample(recorder, number)
recorder.flush()
for number in range(100): sample(recorder, number)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == -9
    assert [row["sequence"] for row in read(path)] == [number * 100 + NAMES.index("sequence") for number in range(500)]


def test_a_full_disk_loses_samples_and_says_so(path: Path) -> None:
    """No exception in the hot path, and none at the end of the run; `written` is short of `recorded`."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    recorder = Recorder(Path("/dev/full"), metadata={})
    for number in range(2 * ROWS):
        sample(recorder, number % 600)
    recorder.close()
    assert (recorder.recorded, recorder.written) == (2 * ROWS, 0)


def test_after_a_failed_write_nothing_follows(path: Path) -> None:
    """What was written before can be read; what the disk takes later would only be read as something else."""
    recorder = Recorder(path, metadata={})
    expected = [sample(recorder, number) for number in range(10)]
    recorder.flush()
    writer = recorder._writer
    recorder._writer = BrokenOnce(writer)
    sample(recorder, 10)
    recorder.flush()
    recorder._writer = writer
    sample(recorder, 11)
    recorder.close()
    assert (recorder.recorded, recorder.written) == (12, 10)
    assert read(path) == expected


def test_what_is_recorded_while_batches_are_written_is_written_too(path: Path) -> None:
    """In each pause more than the recorder lets wait: every sample once, in order."""
    recorder = Recorder(path, metadata={})
    expected = [sample(recorder, number % 600) for number in range(2 * ROWS)]
    within_the_first, between, within_the_second = 1, 0, 12 * ROWS
    left = [within_the_first, between, within_the_second]

    def pause() -> None:
        expected.extend(sample(recorder, number % 600) for number in range(left.pop(0)))

    recorder.flush(pause)
    assert left == []
    recorder.close()
    assert read(path) == expected


def test_a_flush_that_is_ended_in_a_pause_loses_nothing(path: Path) -> None:
    """Whoever flushes is killed; the next flush writes the batch, and whoever counts sees its rows once."""
    recorder = Recorder(path, metadata={})
    seen: list[int] = []

    def observe(rows: Any) -> None:
        seen.append(len(rows))

    recorder.observe = observe
    expected = [sample(recorder, number % 600) for number in range(ROWS + 1)]

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recorder.flush(killed)
    recorder.close()
    assert read(path) == expected
    assert seen == [ROWS, 1]


def test_more_than_may_wait_is_written_without_a_flush(path: Path) -> None:
    """Memory has a limit at any rate."""
    recorder = Recorder(path, metadata={})
    for number in range(100 * ROWS):
        sample(recorder, number % 600)
    assert recorder.recorded - recorder.written <= 9 * ROWS
    recorder.close()
    assert recorder.written == 100 * ROWS


class BrokenOnce:
    """The disk's answer to one batch."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, _: Any) -> None:
        raise OSError(28, "No space left on device")


def test_a_sample_costs_at_most_64_bytes(path: Path) -> None:
    """With times as random as they get, two variants, refreshes and failures, at 1,000/s and a flush a second."""
    rng = random.Random(3)
    recorder = Recorder(path, metadata={"run_id": "20261124-081530-123-abcd", "worker": "w0"})
    count = 30_000
    for number in range(count):
        intended = number * 1_000_000
        began = intended + round(rng.expovariate(1 / 60_000))
        sent = began + round(rng.expovariate(1 / 8_000))
        first = sent + 10_000_000 + round(rng.expovariate(1 / 3_000_000))
        failed = rng.random() < 0.01
        recorder.record(
            *(intended, began, sent, first, first + rng.randrange(200_000)),
            *(
                rng.randrange(200_000, 900_000) if rng.random() < 0.02 else 0,
                round(rng.expovariate(1 / 3e6) / 1e3) * 1000,
            ),
            *(number, rng.randrange(90, 110), number // 6000, 401 if failed else 200),
            recorder.outcomes.code("auth_failure" if failed else "ok"),
            recorder.causes.code("refused" if failed else ""),
            recorder.phases.code("measure"),
            recorder.variants.code(rng.choice(("key", "aml_token"))),
            recorder.deployments.code(rng.choice(("blue", "green"))),
            recorder.freshnesses.code(rng.choice(("fresh", "stale"))),
            *(0, 0, recorder.late_causes.code("hub" if rng.random() < 0.01 else "")),
            recorder.request_classes.code(rng.choice(("small", "large"))),
            *(NO_TIME, NO_TIME, 0, 0, 0, 0, 1),
        )
        if number % 1000 == 999:
            recorder.flush()
    recorder.close()
    assert path.stat().st_size / count <= 64


def test_columns_are_where_the_record_puts_them() -> None:
    """`exchange` records by position: the columns it relies on are in this order, and new ones come at the end."""
    assert NAMES[:20] == [
        *("intended_ns", "began_ns", "sent_ns", "first_byte_ns", "done_ns", "connect_ns", "server_time_ns"),
        *("sequence", "response_bytes", "generation", "status"),
        *("outcome", "cause", "phase", "variant", "deployment", "freshness", "attempt"),
        *("replays", "late_cause"),
    ]
    assert [NAMES[place] for place in WORD_PLACES] == [*NAMES[11:17], "late_cause", "request_class", "tokens_from"]
