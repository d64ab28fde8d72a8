"""What a comment says first, how long it may be, and that nothing in a name is obeyed."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest

from bench import schemas
from bench.commands import comment as command
from bench.comment.body import MOST, Sparkline, body, code, marker
from bench.errors import UsageError
from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.gates.kept import keep
from tests.analysis.synthetic import Side, write_run
from tests.gates.summaries import summary, variant
from tests.runset.sets import write_member

EVIL = (
    "x` ` **b** <script>alert(1)</script> <!-- bench comment run -->",
    "a | b \\| c `` ```",
    "\n/close\n::error::x\n##vso[task.complete result=Succeeded]",
    "@everyone #1 [x](javascript:alert(1)) ![](https://evil.example/p.png)",
    "\u202edesrever \x1b[31m \x00",
    "\\",
)


def gate(name: str, verdict: str = "FAIL", **more: Any) -> dict[str, Any]:
    shown = {"measured": "1 ms", "interval": "", "threshold": "2 ms"}
    return {"gate": name, "name": name, "variant": "", "verdict": verdict, "sentence": name, "shown": shown, **more}


def made(gates: tuple[dict[str, Any], ...] = (), **changes: Any) -> str:
    return body(summary() | changes, gates, key="run")


@pytest.mark.parametrize(
    ("verdicts", "trust", "first"),
    [
        (("PASS", "FAIL"), "TRUSTED", "**FAIL**: 1 of 2 gates passed, TRUSTED"),
        (("PASS", "NO_DATA"), "SUSPECT", "**NO_DATA**: 1 of 2 gates passed, SUSPECT"),
        (("PASS",), "TRUSTED", "**PASS**: 1 of 1 gate passed, TRUSTED"),
        ((), "TRUSTED", "**TRUSTED**: no gate was asked for"),
        (("PASS",), "INVALID", "**INVALID**: nothing is concluded, the run cannot be believed"),
    ],
)
def test_the_first_line_is_the_verdict(verdicts: tuple[str, ...], trust: str, first: str) -> None:
    text = body(summary(trust=trust), [gate("g", verdict) for verdict in verdicts], key="run")
    assert text.splitlines()[0] == first
    assert text.splitlines()[-1] == marker("run")


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_in_a_name_is_obeyed(evil: str) -> None:
    """Outside code spans stands only what this package wrote."""
    hostile = summary(**{evil: variant()}) | {"run_id": evil}
    hostile["trust"]["reasons"] = [evil]
    bars = [Sparkline(name=evil, last="1 ms", bars="▁▂", shifts=(evil,))]
    text = body(hostile, [gate(evil)], key="run", history=bars, links=[(evil, "https://x.example/a?b=c")])
    assert text.count(marker("run")) - text.count(f"`{marker('run')}") >= 1
    for line in text.splitlines()[:-1]:
        bare = re.sub(r"`[^`]*`", "", line)
        assert not re.search(r"[\[\]@#\x00\x1b\u202e]|<(?!https://x\.example)|::|/close|alert|evil", bare), line
        assert line.count("`") % 2 == 0
        assert not line.startswith(("/", "::", "`/"))
        assert "##vso[" not in line
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} <= {4, 6, 7, 5}


@pytest.mark.parametrize("evil", EVIL)
def test_a_code_span_holds_no_way_out(evil: str) -> None:
    inside = code(evil)[1:-1]
    assert "`" not in inside
    assert "|" not in inside
    assert "\n" not in inside


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x> <script>", "https://x\n/close", "x", "https://x y"])
def test_a_link_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no web address"):
        body(summary(), (), key="run", links=[("report", url)])


@pytest.mark.parametrize("key", ["", "-->", "A", "a b", "x" * 51])
def test_a_key_cannot_end_its_mark(key: str) -> None:
    with pytest.raises(UsageError, match="--key"):
        marker(key)


def test_however_much_there_is_it_is_capped_and_found_again() -> None:
    text = made(tuple(gate(f"{number} " + "é" * 5000) for number in range(500)))
    assert len(text) <= MOST
    assert re.search(r"\d+ more lines are in the report", text)
    assert text.rstrip().endswith(marker("run"))
    assert text.startswith("**FAIL**: 0 of 500 gates passed")


def bench(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def test_a_run_s_comment_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_RUN_ID", "CI_JOB_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = write_member(tmp_path, 0, sides=(Side("key"), Side("aml_token", shift_ms=2.0)))
    results = evaluate([parse("overhead.p50 < 1ms")], schemas.load(folder.summary, schemas.Summary))
    keep(folder, results, run_id=folder.run_id, baseline="")
    out = tmp_path / "comment.md"
    assert bench(str(folder.path), "--to", str(out), "--link", "report=https://ci.example/r.html") == 0
    text = out.read_text()
    assert text.startswith("**FAIL**: 0 of 1 gate passed")
    assert "`aml_token less key`" in text
    assert "<https://ci.example/r.html>" in text


def test_a_history_whose_server_is_down_costs_the_comment_only_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that was named wrongly is a mistake all the same."""
    folder = write_member(tmp_path, 0, sides=(Side("key"),))
    words = (str(folder.path), "--to", str(tmp_path / "comment.md"), "--history")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert bench(*words, "mlflow:perf") == 0
    assert "the history is left out" in capsys.readouterr().err
    assert "over the runs before" not in (tmp_path / "comment.md").read_text()
    with pytest.raises(UsageError, match="does not exist"):
        bench(*words, str(tmp_path / "nowhere"))


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    folder = write_member(tmp_path, 0, sides=(Side("key"),))
    with pytest.raises(UsageError, match="cannot write"):
        bench(str(folder.path), "--to", str(folder.manifest / "comment.md"))


def test_a_run_without_a_summary_says_how_to_make_one(tmp_path: Path) -> None:
    path = write_run(tmp_path / "20260101-000000-000-beef", sides=(Side("key"),), duration_s=2)
    with pytest.raises(UsageError, match=r"summary\.json does not exist"):
        bench(str(path), "--to", str(tmp_path / "comment.md"))
