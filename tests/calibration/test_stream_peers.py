"""Other tools for streams: their exports as they write them; one that fails, hangs or lies is left out."""

from __future__ import annotations

import json
import shutil
import stat
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.calibration import stream_peers
from bench.calibration.bench_run import Cores, Setting
from bench.calibration.stream_peer_tools import STREAM_TOOLS, Chats, Said

MS = 1_000_000
_AIPERF = {
    "time_to_first_token": {"unit": "ms", "avg": 78.4, "p50": 70.6, "p99": 152.6},
    "inter_token_latency": {"unit": "ms", "avg": 12.0, "p50": 11.9, "p99": 12.8},
    "request_count": {"unit": "requests", "avg": 189.0},
    "request_throughput": {"unit": "requests/sec", "avg": 18.9},
}


def _guidellm(successful: int) -> dict[str, Any]:
    def statistics(p50: float, p99: float) -> dict[str, Any]:
        return {"successful": {"mean": 19.5, "percentiles": {"p50": p50, "p99": p99}}, "errored": {}}

    metrics = {
        "request_totals": {"successful": successful, "errored": 3, "total": successful + 3},
        "requests_per_second": statistics(1, 2),
        "time_to_first_token_ms": statistics(87.4, 179.9),
        "inter_token_latency_ms": statistics(11.9, 13.6),
    }
    return {"benchmarks": [{"metrics": metrics}]}


EXPORTS = {"aiperf": ("out/profile_export_aiperf.json", _AIPERF), "guidellm": ("guidellm.json", _guidellm(234))}


@pytest.fixture
def chats(tmp_path: Path) -> Chats:
    return Chats(base="http://127.0.0.1:1", seconds=6, rate=20, folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("aiperf", Said(requests=189, achieved=18.9, first=(70.6, 152.6), gap=(11.9, 12.8))),
        ("guidellm", Said(requests=234, achieved=19.5, first=(87.4, 179.9), gap=(11.9, 13.6))),
    ],
)
def test_an_export_is_read_as_the_tool_writes_it(name: str, said: Said, chats: Chats) -> None:
    file, value = EXPORTS[name]
    chats.file(file, value)
    assert STREAM_TOOLS[name].read(chats) == said


@pytest.mark.parametrize("name", STREAM_TOOLS)
@pytest.mark.parametrize("value", [{}, [], None, {"benchmarks": []}, "not JSON"])
def test_an_export_of_another_form_is_no_figure(name: str, value: Any, chats: Chats) -> None:
    """Nor is one that is not there."""
    with pytest.raises(OSError):
        STREAM_TOOLS[name].read(chats)
    path = Path(chats.file(EXPORTS[name][0], value))
    if value == "not JSON":
        path.write_text("{")
    with pytest.raises(ValueError, match="not as expected"):
        STREAM_TOOLS[name].read(chats)


def test_a_run_in_which_nothing_went_well_took_no_0_ms(chats: Chats) -> None:
    """guidellm then writes zeros."""
    chats.file("guidellm.json", _guidellm(0))
    with pytest.raises(ValueError, match="no request went well"):
        STREAM_TOOLS["guidellm"].read(chats)


@pytest.mark.parametrize("name", STREAM_TOOLS)
def test_the_secret_is_in_no_word_and_no_file(name: str, chats: Chats) -> None:
    tool = STREAM_TOOLS[name]
    words = tool.command("/bin/tool", chats)
    assert "s3cr3t" in tool.environment("s3cr3t").values()
    assert words[0] == "/bin/tool"
    written = [file.read_text() for file in chats.folder.rglob("*") if file.is_file()]
    assert not [text for text in [*words, *written] if "s3cr3t" in text]
    assert any("http://127.0.0.1:1" in text for text in written)


def _truth(path: Path, streams: int) -> None:
    """Streams that are 100 ms apart, each token of each 10 ms after the one before; the first after 50 ms."""
    raw = b"\0" * 64
    for number in range(streams):
        received = 1_000_000_000 + number * 100 * MS
        times = [received + (50 + 10 * token) * MS for token in range(4)]
        raw += struct.pack("<40sqq", b"", received, len(times)) + b"".join(struct.pack("<qq", at, at) for at in times)
    path.write_bytes(raw)


@contextmanager
def _emulated(_: int | None, __: str, truth_file: Path) -> Iterator[dict[str, Any]]:
    _truth(truth_file.with_name("truth.streams"), 60)
    yield {"scoring_uri": {"key": "http://127.0.0.1:1/score"}}


def _peer(folder: Path, name: str, script: str) -> None:
    """A program `name` on a PATH of its own; it is started in its own folder."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the table against an emulator that never was; ours said what was true."""
    monkeypatch.setattr(stream_peers, "emulator_on", _emulated)
    monkeypatch.setattr(stream_peers, "key_of", lambda _: "x" * 64)
    ours = Said(requests=40, achieved=10.0, first=(50.0, 50.0), gap=(10.0, 10.0))
    monkeypatch.setattr(stream_peers, "_ours", lambda *_: ours)
    monkeypatch.setattr(stream_peers, "_RATES", (20,))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    setting = Setting(seconds=1, repeat=1, cores=Cores(client=None, server=None))
    return lambda: {row["load"]: row for row in stream_peers.streaming_peers(setting)}


def test_what_each_says_less_what_was_true(tmp_path: Path, rows: Any) -> None:
    file, value = EXPORTS["aiperf"]
    _peer(
        tmp_path,
        "aiperf",
        f"import json, os, pathlib\nassert os.environ['SECRET'] == 'x' * 64\npath = pathlib.Path({file!r})\n"
        f"path.parent.mkdir()\npath.write_text(json.dumps({value!r}))",
    )
    found = rows()
    assert [*found] == ["bench, 20/s, all cores", "aiperf, 20/s, all cores"]
    assert found["bench, 20/s, all cores"]["first token error p99 ms"] == pytest.approx(0)
    row = found["aiperf, 20/s, all cores"]
    assert row["requests"] == 189
    assert row["first token error p50 ms"] == pytest.approx(20.6)
    assert row["gap error p99 ms"] == row["gap error as means p99 ms"] == pytest.approx(2.8)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("import sys\nprint('no such option')\nsys.exit(2)", "it ended with 2: no such option"),
        ("import sys\nprint('Error: no tokenizer\\nsee the log')\nsys.exit(1)", "it ended with 1: Error: no tokenizer"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "it ended with -9"),
        ("import time\nprint('thinking', flush=True)\ntime.sleep(600)", "it had not ended after"),
        ("", "No such file"),
        ("open('guidellm.json', 'w').write('{}')", "its export is not as expected"),
    ],
)
def test_a_peer_that_comes_to_nothing_is_left_out(
    script: str,
    why: str,
    tmp_path: Path,
    rows: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(stream_peers, "_LATEST_S", 2.0 if "sleep" in script else 60.0)
    _peer(tmp_path, "guidellm", script)
    assert [*rows()] == ["bench, 20/s, all cores"]
    said = capsys.readouterr().err
    assert "aiperf is left out: not installed" in said
    assert "guidellm, 20/s, all cores is left out: " in said
    assert why in said
    assert json.dumps("x" * 64) not in said


def test_a_peer_that_forks_leaves_nobody_behind(tmp_path: Path, rows: Any) -> None:
    """Its children end with it."""
    script = "import os, pathlib, time\nchild = os.fork()\nif not child:\n    time.sleep(600)\n"
    _peer(tmp_path, "aiperf", f"{script}pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child))")
    rows()
    status = Path(f"/proc/{(tmp_path / 'child').read_text()}/stat")
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)


@pytest.mark.soak
@pytest.mark.parametrize("name", STREAM_TOOLS)
def test_the_real_tool_where_it_is_installed(name: str) -> None:
    """Every chat it counts went to the emulator, and its first token was not before the true one."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on PATH")
    setting = Setting(seconds=5, repeat=1, cores=Cores(client=None, server=None))
    row = stream_peers.measured(name, path, 20, setting, None)
    assert row is not None
    assert row["requests"] > 20
    assert row["first token error p50 ms"] > -1
