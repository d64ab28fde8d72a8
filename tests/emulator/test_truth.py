"""The true times: one record a scored request, right whatever the client thinks."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.emulator.process import EmulatorProcess, emulator, read_truth, until


def score(running: EmulatorProcess, secret: str, number: int) -> tuple[str, int, int, float]:
    """(id, sent, answered, service time in ms by the header), client's own times in monotonic ns."""
    request_id = f"run-{number}"
    sent_ns = time.monotonic_ns()
    answer = running.score("key", secret, x_ms_client_request_id=request_id)
    assert answer.status == 200
    return request_id, sent_ns, time.monotonic_ns(), float(answer.headers["x-ms-run-fn-exec-ms"])


def test_every_scored_request_has_its_true_times(tmp_path: Path):
    """Within the client's own times, as long as planned, half of them within 1 ms of what the header says.

    Each of them would judge the machine: it may stand still between the header's clock and the record's.
    """
    truth = tmp_path / "truth"
    with emulator("--service-base", "5ms", "--truth", str(truth)) as running:
        secret = running.secret("key")
        with ThreadPoolExecutor(4) as pool:
            seen = {row[0]: row[1:] for row in pool.map(lambda number: score(running, secret, number), range(40))}
        running.score("key", "wrong", x_ms_client_request_id="refused")
        running.score("key", secret)
    records = read_truth(truth)
    named = {record.request_id: record for record in records}
    assert len(records) == 41
    assert set(named) == {*seen, ""}
    off_ms = []
    for request_id, (sent_ns, done_ns, header_ms) in seen.items():
        record = named[request_id]
        assert sent_ns <= record.received_ns < record.answered_ns <= done_ns
        assert record.service_ns >= 5_000_000
        took_ns = record.answered_ns - record.received_ns
        assert took_ns >= record.service_ns
        off_ms.append(took_ns / 1e6 - header_ms)
    assert abs(sorted(off_ms)[len(off_ms) // 2]) < 1


def test_the_same_seed_plans_the_same_service_times(tmp_path: Path):
    """Two emulators with one seed plan alike, a third with another does not."""
    planned = []
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        truth = tmp_path / name
        with emulator("--service-base", "1ms", "--seed", seed, "--truth", str(truth)) as running:
            secret = running.secret("key")
            for number in range(10):
                score(running, secret, number)
        planned.append([record.service_ns for record in read_truth(truth)])
    assert planned[0] == planned[1] != planned[2]


def test_the_truth_is_flushed_while_running(tmp_path: Path):
    """A killed emulator keeps all but its last second."""
    truth = tmp_path / "truth"
    with emulator("--service-zero", "--truth", str(truth)) as running:
        score(running, running.secret("key"), 1)
        until(lambda: truth.stat().st_size == 128)
        running.process.kill()
    assert [record.request_id for record in read_truth(truth)] == ["run-1"]


def test_the_guide_describes_the_layout():
    """What the guide says of a record is what the code writes."""
    guide = Path(__file__).parents[2] / "docs" / "guides" / "emulator.md"
    layout = re.findall(r'\("(\w+)", "(\S+)"\)', guide.read_text(encoding="utf-8"))
    assert layout == [("id", "S40"), ("received_ns", "<i8"), ("answered_ns", "<i8"), ("service_ns", "<i8")]
