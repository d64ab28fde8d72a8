"""Key against token auth, end to end, on the emulator."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tests.e2e.command import LOCUSTFILES, UNDRAWN, Done, bench, start_and_wait

SHORT_LIVES = "--token-life 6s --refresh-after 2s"


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """One comparison, looked at by several tests: the command, and the run's folder."""
    cwd = tmp_path_factory.mktemp("compare")
    done = bench(
        *("compare", "--emulator", f"--emulator-options={SHORT_LIVES}"),
        *("--arrival-rate", "300", "--duration", "8s", "--warm-up", "1s", "--gate", "auth_failure_rate == 0"),
        cwd=cwd,
    )
    return done, cwd / done.run


class TestCompare:
    def test_reports_both_variants(self, compared: tuple[Done, Path]) -> None:
        """A comparison on the emulator passes its gate and leaves every file the design names."""
        done, run = compared
        summary = json.loads((run / "summary.json").read_text())
        assert done.code == (4 if summary["trust"]["verdict"] == "INVALID" else 0), done
        assert set(summary["variants"]) == {"key", "aml_token"}
        for variant in summary["variants"].values():
            assert variant["requests"] == 1200  # 300/s for 8 s, in pairs
            assert variant["auth_failures"]["count"] == 0
            assert variant["error_rate"] == 0
            if sys.platform == "linux":
                assert 0 < variant["network"]["round_trip_ms"] < variant["service_time_ms"]["p50"]
                assert list(summary["comparison"]["decomposition"]["p50"]["baseline_ms"])[-2:] == [
                    "network",
                    "front_end",
                ]
        assert summary["variants"]["aml_token"]["refreshes"]["count"] >= 3
        assert summary["variants"]["key"]["refreshes"]["count"] == 0
        p50 = summary["comparison"]["response_time_ms"]["p50"]
        assert p50["low"] <= p50["estimate"] <= p50["high"]
        for name in ("report.html", "summary.md", "junit.xml", "flights.jsonl", "health/w0.jsonl", "plots/latency.png"):
            assert (run / name).stat().st_size > 0, name

    def test_every_due_arrival_is_a_sample(self, compared: tuple[Done, Path]) -> None:
        """The schedule's arrivals are all in the samples, once each, with their times in order."""
        table = pa.ipc.open_stream(compared[1] / "samples" / "w0.arrows").read_all()
        names = ("intended_ns", "began_ns", "sent_ns", "first_byte_ns", "done_ns")
        times = [table[name].to_numpy() for name in names]
        assert sorted(times[0].tolist()) == [round(number / 300 * 1e9) for number in range(2700)]
        for earlier, later in itertools.pairwise(times):
            assert (earlier <= later).all()
        assert len(set(table["sequence"].to_pylist())) == 2700


@pytest.mark.parametrize(
    ("locustfile", "variant"), [("key", "key"), ("aml_token", "aml_token"), ("aad_token", "aad_token")]
)
def test_plain_locust_runs_each_locustfile(locustfile: str, variant: str, tmp_path: Path) -> None:
    """`locust -f` does what `bench run` does: same options, same files, same report."""
    done = start_and_wait(
        [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(LOCUSTFILES / f"{locustfile}.py"),
            "--headless",
            "--only-summary",
            "--emulator",
            "--arrival-rate",
            "100",
            "--duration",
            "2s",
            "--warm-up",
            "0s",
        ],
        cwd=tmp_path,
        **({} if variant == "key" else UNDRAWN),
    )
    assert done.code in {0, 4}, done.err
    summary = done.summary_at(tmp_path)
    assert summary["variants"][variant]["requests"] == 200
    assert summary["variants"][variant]["outcomes"]["ok"] == 200
    assert f"/score [{variant}]" in done.out + done.err


def test_closed_model_and_payload_lines(tmp_path: Path) -> None:
    """Without an arrival rate users go back to back, each with the next line of the payload."""
    (tmp_path / "lines.jsonl").write_text('{"a": 1}\n{"a": 2}\n{"a": 3}\n')
    done = bench(
        *("run", "--emulator", "--emulator-options=--service-base 5ms --service-exponential 0ms", "--users", "4"),
        *("--duration", "2s", "--warm-up", "0s", "--payload", "lines.jsonl"),
        cwd=tmp_path,
    )
    assert done.code in {0, 4}, done.err
    block = done.summary_at(tmp_path)["variants"]["key"]
    assert 200 < block["requests"] < 1700
    assert block["outcomes"]["ok"] == block["requests"]


def test_processes_split_one_schedule(tmp_path: Path) -> None:
    """Two worker processes send one schedule's arrivals between them, and share the leases of one flight each."""
    done = bench(
        *("compare", "--emulator", "--arrival-rate", "200", "--duration", "3s", "--warm-up", "0s", "--processes", "2"),
        cwd=tmp_path,
        **UNDRAWN,
    )
    assert done.code in {0, 4}, done.err
    run = tmp_path / done.run
    tables = [pa.ipc.open_stream(path).read_all() for path in sorted((run / "samples").glob("*.arrows"))]
    assert len(tables) == 2
    intended = sorted(value for table in tables for value in table["intended_ns"].to_pylist())
    assert intended == [round(number / 200 * 1e9) for number in range(600)]
    flights = [json.loads(line) for line in (run / "flights.jsonl").read_text().splitlines()]
    assert sorted(flight["variant"] for flight in flights) == ["aml_token", "key"]
