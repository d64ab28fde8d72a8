"""Each class of a mix is held against the truth of its own requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.calibration.bench_run import errors_of
from bench.calibration.truth import HEADER_BYTES, RECORD
from bench.runreader import load_run
from bench.samples import stream
from tests.analysis.synthetic import Side, write_run

SMALL_US, LARGE_US = 100, 900


def test_the_error_of_a_class_is_that_of_its_own_requests(tmp_path: Path) -> None:
    """Answers to large requests are reported 0.9 ms late, to small ones 0.1 ms; of all together it is in between."""
    mix = (("small", 0.75, 0.0), ("large", 0.25, 20.0))
    run = load_run(write_run(tmp_path / "20260101-000000-000-beef", sides=(Side("key", classes=mix),), duration_s=4))
    truth = tmp_path / "truth"
    truth.write_bytes(bytes(HEADER_BYTES) + _true_times(run.path, run.run_id).tobytes())
    small, large = (errors_of(run, truth, request_class=name) for name in ("small", "large"))
    everything = errors_of(run, truth)
    assert small.matched + large.matched == everything.matched > 1000
    assert small.matched == pytest.approx(0.75 * everything.matched, rel=0.1)
    assert small.service["p50"] == pytest.approx(SMALL_US / 1e3, abs=1e-6)
    assert large.service["p50"] == pytest.approx(LARGE_US / 1e3, abs=1e-6)
    assert large.true_response["p50"] > small.true_response["p50"] + 15
    assert errors_of(run, truth, request_class="huge").matched == 0


def _true_times(path: Path, run_id: str) -> np.ndarray:
    """What the emulator would have written of the run's one worker."""
    (file,) = (path / "samples").glob("*.arrows")
    found = []
    for batch in stream.batches(stream.inspect(file), ("sequence", "sent_ns", "done_ns", "request_class")):
        codes, words = batch.words("request_class")
        names = [words[code] for code in codes]
        rows = zip(*(batch.numbers(name) for name in ("sequence", "sent_ns", "done_ns")), names, strict=True)
        for sequence, sent_ns, done_ns, name in rows:
            late_ns = (LARGE_US if name == "large" else SMALL_US) * 1000
            client_id = f"{run_id}-{file.stem}-{sequence:08x}".encode()
            found.append((client_id, sent_ns, done_ns - late_ns, 0))
    return np.array(found, dtype=RECORD)
