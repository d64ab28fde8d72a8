"""Gaps between tokens on disk: exact to a tenth of a microsecond, at most 3 bytes each, and never believed blindly."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.samples import chunks
from bench.samples.chunks import ROWS, UNIT_NS, ChunkRecorder

FACTS = {"run_id": "r", "worker": "w0"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chunks" / "w0.arrows"


def back(path: Path) -> list[tuple[int, int]]:
    found = chunks.inspect(path)
    assert (found.fault, found.run_id, found.worker, found.complete) == ("", "r", "w0", True)
    sequence, gap_ns = chunks.read(found)
    return list(zip(sequence.tolist(), gap_ns.tolist(), strict=True))


@pytest.mark.hypothesis
@given(st.lists(st.lists(st.integers(0, 1 << 40).map(lambda units: units % (1 << 26)), max_size=9), max_size=6))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, streams: list[list[int]]) -> None:
    """Every gap of every request, in order, also those that are longer than a row can say."""
    path = tmp_path_factory.mktemp("gaps") / "w0.arrows"
    recorder = ChunkRecorder(path, metadata=FACTS)
    expected = []
    for sequence, gaps in enumerate(streams):
        times = [123_456_789]
        for gap in gaps:
            times.append(times[-1] + gap * UNIT_NS)
        recorder.add(sequence, times)
        expected += [(sequence, gap * UNIT_NS) for gap in gaps]
    recorder.close()
    assert recorder.written == recorder.recorded >= len(expected)
    if streams:
        assert back(path) == expected


def test_a_gap_of_exactly_a_full_row(path: Path) -> None:
    """And twice that: the rest of it is nothing, and is written."""
    recorder = ChunkRecorder(path, metadata=FACTS)
    full = ((1 << 24) - 1) * UNIT_NS
    recorder.add(1, [0, full, 3 * full, 3 * full + 500])
    recorder.close()
    assert back(path) == [(1, full), (1, 2 * full), (1, 500)]


def test_gaps_of_a_request_add_up(path: Path) -> None:
    """Times are rounded, not gaps: 2,000 of them are no further off than one."""
    rng = random.Random(1)
    times = [0]
    for _ in range(2 * ROWS):
        times.append(times[-1] + rng.randrange(1, 30_000_000))
    recorder = ChunkRecorder(path, metadata=FACTS)
    recorder.add(7, times)
    recorder.close()
    gaps = [gap for _, gap in back(path)]
    assert len(gaps) == 2 * ROWS
    assert abs(sum(gaps) - times[-1]) <= UNIT_NS


def test_a_gap_costs_at_most_three_bytes(path: Path) -> None:
    """64 tokens 10 ms + exponential 2 ms apart, 300 answers, as a run writes them: a batch a second and full ones."""
    rng = random.Random(2)
    recorder = ChunkRecorder(path, metadata=FACTS)
    for sequence in range(300):
        times = [0]
        for _ in range(64):
            times.append(times[-1] + 10_000_000 + round(rng.expovariate(1 / 2e6)))
        recorder.add(sequence, times)
    recorder.close()
    assert recorder.written == 300 * 64
    assert path.stat().st_size / recorder.written <= 3.0


def test_where_nothing_was_streamed_there_is_no_file(path: Path) -> None:
    """It is made before the run, for descriptors may run out, and goes away again; one token is a stream."""
    recorder = ChunkRecorder(path, metadata=FACTS)
    assert path.exists()
    recorder.close()
    assert not path.parent.exists()
    recorder = ChunkRecorder(path, metadata=FACTS)
    recorder.add(1, [5])
    recorder.close()
    assert back(path) == []


def test_a_full_disk_is_counted() -> None:
    """It ends no run, and `written` shows it."""
    recorder = ChunkRecorder(Path("/dev/full"), metadata=FACTS)
    recorder.add(1, [0, 1000, 2000])
    recorder.flush()
    recorder.add(2, [0, 1000])
    recorder.close()
    assert (recorder.recorded, recorder.written, recorder.broken) == (3, 0, True)


def test_a_killed_writer_and_a_liar(path: Path, tmp_path: Path) -> None:
    """What is cut off or changed is found, up to there it is read; a file of samples is none of gaps."""
    recorder = ChunkRecorder(path, metadata=FACTS)
    for sequence in range(3):
        recorder.add(sequence, list(range(0, 1_000_000, 1000)))
        recorder.flush()
    raw = path.read_bytes()
    cut = tmp_path / "cut.arrows"
    cut.write_bytes(raw[:-50])
    found = chunks.inspect(cut)
    assert found.rows == 2 * 999
    assert "cut off" in found.fault
    assert len(chunks.read(found)[0]) == 2 * 999
    changed = bytearray(raw)
    changed[-200] ^= 1
    cut.write_bytes(changed)
    assert "checksum" in chunks.inspect(cut).fault
    cut.write_bytes(b"")
    assert chunks.inspect(cut).fault
