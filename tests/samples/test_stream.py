"""A file of samples that is not what was written: what happened to it is reported, and no figure changes silently."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from bench.sample import COLUMNS
from bench.samples import stream
from bench.samples.recorder import Recorder

BATCHES, ROWS = 5, 100


def write(path: Path, *, run_id: str = "r", worker: str = "w0") -> bytes:
    recorder = Recorder(path, metadata={"run_id": run_id, "worker": worker})
    recorder.variants.code("key")
    rng = random.Random(1)
    for number in range(BATCHES * ROWS):
        recorder.record(
            *(
                number if name == "sequence" else rng.randrange(10**9) if kind == "int64" else 0
                for name, kind in COLUMNS
            )
        )
        if number % ROWS == ROWS - 1:
            recorder.deployments.code(f"deployment {number}")
            recorder.flush()
    recorder.close()
    return path.read_bytes()


def frames(raw: bytes) -> list[bytes]:
    """The file in pieces: the schema, then each batch with the words before it, then the mark of the end."""
    source = pa.BufferReader(raw)
    pa.ipc.read_message(source)
    ends = [0, source.tell()]
    while True:
        try:
            message = pa.ipc.read_message(source)
        except EOFError:
            break
        if message.type == "record batch":
            ends.append(source.tell())
    ends.append(len(raw))
    return [raw[begin:end] for begin, end in pairwise(ends)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w0.arrows"


def decoded(found: stream.Stream) -> list[int]:
    return [n for batch in stream.batches(found, ["sequence", "variant"]) for n in batch.column("sequence")]


def test_a_whole_stream(path: Path) -> None:
    write(path)
    found = stream.inspect(path)
    assert (found.run_id, found.worker, found.sealed, found.complete) == ("r", "w0", True, True)
    assert (found.rows, found.batches, found.fault) == (BATCHES * ROWS, BATCHES, "")
    assert decoded(found) == list(range(BATCHES * ROWS))


def test_each_flipped_bit_is_reported(path: Path) -> None:
    """Wherever it is, and never with a traceback; what is sound before it can be read and is right."""
    raw = write(path)
    rng = random.Random(2)
    for bit in [*range(0, 400 * 8, 7), *(rng.randrange(len(raw) * 8) for _ in range(500))]:
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = stream.inspect(path)
        assert found.fault, bit
        assert decoded(found) == list(range(found.rows)) if found.batches else found.rows == 0


def test_each_cut_is_reported_or_is_between_two_batches(path: Path) -> None:
    """At a batch's end the file is as a killed worker leaves it: not complete, and how much there is can be counted."""
    raw = write(path)
    pieces = frames(raw)
    ends = [sum(map(len, pieces[: n + 1])) for n in range(len(pieces))]
    rng = random.Random(3)
    for cut in [*ends[:-1], *(rng.randrange(len(raw)) for _ in range(100))]:
        path.write_bytes(raw[:cut])
        found = stream.inspect(path)
        whole = max(sum(end <= cut for end in ends[1:]), 0)
        assert (found.batches, found.rows, found.complete) == (whole, whole * ROWS, False)
        assert bool(found.fault) == (not 0 <= cut - max([0, *(e for e in ends if e <= cut)]) < 8 or cut < ends[0])


@pytest.mark.parametrize(
    ("order", "says", "rows"),
    [
        ((0, 1, 3, 4, 5, 6), "a checksum is wrong|lacks batch 1", ROWS),
        ((0, 1, 2, 2, 3, 4, 5, 6), "lacks batch 2 or has one twice", 2 * ROWS),
        ((0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6), "goes on after its end", BATCHES * ROWS),
        ((0, 2, 1, 3, 4, 5, 6), "a checksum is wrong", 0),
    ],
)
def test_batches_out_of_place_are_reported(path: Path, order: tuple[int, ...], says: str, rows: int) -> None:
    """One is missing, one is there twice, the whole file is there twice, two changed places."""
    pieces = frames(write(path))
    path.write_bytes(b"".join(pieces[number] for number in order))
    found = stream.inspect(path)
    assert any(one in found.fault for one in says.split("|")), found.fault
    assert found.rows == rows
    assert decoded(found) == list(range(rows)) if rows else found.batches == 0


def test_a_newer_format_and_other_columns_are_refused(path: Path) -> None:
    """Neither is guessed at."""
    for schema, says in (
        (pa.schema([("attempt", pa.uint8())], metadata={"format": "3"}), "has format '3', this version reads 2"),
        (pa.schema([("attempt", pa.string())]), "its column attempt has another type"),
        (pa.schema([("attempt", pa.uint8()), ("attempt", pa.uint8())]), "its column attempt"),
    ):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema):
            pass
        assert says in stream.inspect(path).fault


def test_what_is_no_file_of_samples(tmp_path: Path) -> None:
    """A folder, nothing, an empty file, something else: one sentence each."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"not arrow at all")
    (tmp_path / "huge").write_bytes(b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(100))
    for name, says in (
        ("folder", "is no file"),
        ("nothing", "is missing"),
        ("empty", "is empty"),
        ("text", "is no stream of samples"),
        ("huge", "is no stream of samples"),
    ):
        assert says in stream.inspect(tmp_path / name).fault


def test_an_older_versions_stream_is_read_without_checksums(path: Path) -> None:
    """Codes beyond their words and cut ends are reported there too."""
    write(path)
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as old:
        table = old.read_all().unify_dictionaries().replace_schema_metadata({"run_id": "r"})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table, max_chunksize=ROWS)
    found = stream.inspect(path)
    assert (found.sealed, found.rows, found.batches, found.fault) == (False, BATCHES * ROWS, BATCHES, "")
    path.write_bytes(path.read_bytes()[:-1000])
    assert "cut off after 400 samples" in stream.inspect(path).fault
