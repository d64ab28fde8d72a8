"""Runs of conversations and of made prompts: what counts as an arrival, how they ended, how long they were."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.analysis import evidence
from bench.analysis.summary import summarise
from bench.plan.prompt_plan import Made, PromptPlan, Spread
from bench.plan.request_plan import RequestPlan
from bench.report import html, text, words
from bench.runreader import load_run
from tests.analysis.streamed import Asked, write_streamed

SPREAD = Spread(least=10, p50=20.0, mean=20.5, p99=40.0, most=41)


def folder_of(
    path: Path, request: RequestPlan, *, classes: tuple[str, ...], ended: dict[str, Any] | None = None
) -> Path:
    """A minute of 120 conversations of three turns each, and what their worker said of how they ended."""
    asked = [
        Asked(at_s=at / 2 + turn / 10, tokens=5 + turn, gaps_ms=(10,), request_class=word)
        for at in range(120)
        for turn, word in enumerate(classes)
    ]
    folder = write_streamed(path, asked)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["plan"]["arrival_rate"] = 2.0
    manifest["plan"]["request"] = json.loads(json.dumps(asdict(request)))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    health = folder / "health" / "w0.jsonl"
    lines = [json.loads(line) for line in health.read_text().splitlines()]
    if ended is not None:
        lines[-1]["conversations"] = ended
    health.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_later_turns_are_no_arrivals(tmp_path: Path) -> None:
    """They would hide arrivals that were never begun; of a class that is only called so they count."""
    classes = ("turn 1", "turn 2", "turn 13")
    run = load_run(folder_of(tmp_path / "chat", RequestPlan(chat="c.jsonl"), classes=classes))
    assert evidence.gather(run).achieved_rate == pytest.approx(2.0, rel=0.02)
    named = load_run(folder_of(tmp_path / "named", RequestPlan(), classes=classes))
    assert evidence.gather(named).achieved_rate == pytest.approx(6.0, rel=0.02)


def test_how_conversations_ended(tmp_path: Path) -> None:
    """Is counted by name, for the variant that held them."""
    ended = {"key": {"whole": 100, "turn_failed": 20}, "other": {"whole": 5}}
    classes = ("turn 1", "turn 2", "turn 10")
    summary = summarise(load_run(folder_of(tmp_path / "a", RequestPlan(chat="c"), classes=classes, ended=ended)))
    assert summary["variants"]["key"]["conversations"] == {"count": 120, "ended": {"whole": 100, "turn_failed": 20}}
    assert list(summary["variants"]["key"]["classes"]) == ["turn 1", "turn 2", "turn 10"]
    page = html.render(summary, sides=(), plots={}, flights=(), intent=(), manifest={})
    section = page[page.index("Streamed answers of each class: ") :]
    assert [section.index(f">turn {turn}<") for turn in (1, 2, 10)] == sorted(
        section.index(f">turn {turn}<") for turn in (1, 2, 10)
    )
    rows = {row.label.strip(): row.cells for row in text.stream_rows(summary)}
    assert rows["conversations"] == ("120",)
    assert rows["and how they ended"] == ("100 whole, 20 turn_failed",)


@pytest.mark.parametrize("damaged", [5, {"key": 5}, {"key": {"whole": -1}}, {"key": {"whole": "x"}}])
def test_a_worker_that_lies(damaged: Any, tmp_path: Path) -> None:
    """What does not fit is a problem of the run, and no figure."""
    run = load_run(folder_of(tmp_path / "a", RequestPlan(chat="c"), classes=("turn 1",), ended=damaged))
    assert run.problems
    assert "conversations" not in summarise(run)["variants"]["key"]


def test_lengths_asked_and_counted(tmp_path: Path) -> None:
    """Side by side, and a remark where prompts went round."""
    made = Made(prompt_tokens=SPREAD, output_tokens=replace(SPREAD, mean=1500.2), counted_by="words", turns=1)
    prompts = PromptPlan(prompt_tokens="20", output_tokens="20", prompts=50, made=made)
    folder = folder_of(tmp_path / "a", RequestPlan(prompts=prompts), classes=("", ""))
    summary = summarise(load_run(folder))
    assert summary["prompts"]["count"] == 50
    assert "; 50 prompts of 20 tokens, answers of 20 at most" in words.plan_sentence(load_run(folder).plan)
    lengths = summary["variants"]["key"]["streams"]["lengths"]
    assert lengths["output_tokens"] == {"least": 5, "p50": 5.5, "mean": 5.5, "p99": 6, "most": 6}
    lines = [(row.label.strip(), row.cells) for row in text.stream_rows(summary)]
    at = lines.index(("tokens of an answer, by the server", ()))
    assert lines[at + 1 : at + 4] == [
        ("p50", ("5.5 (20 asked)",)),
        ("p99", ("6 (40 asked)",)),
        ("mean", ("5.5 (1,500 asked)",)),
    ]
    assert any("50 prompts went round in 240 requests" in said for said in text.remarks(summary))


def test_a_server_that_counts_nothing(tmp_path: Path) -> None:
    """What was asked for is shown, and nothing is invented beside it."""
    prompts = PromptPlan(
        prompt_tokens="20", made=Made(prompt_tokens=SPREAD, output_tokens=None, counted_by="words", turns=3)
    )
    asked = [Asked(at_s=at / 2, gaps_ms=(10,)) for at in range(100)]
    folder = write_streamed(tmp_path / "a", asked)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["plan"]["request"] = asdict(RequestPlan(prompts=prompts))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    summary = summarise(load_run(folder))
    assert summary["variants"]["key"]["streams"]["lengths"] == {}
    rows = {row.label.strip(): row.cells for row in text.stream_rows(summary)}
    assert "tokens of an answer, by the server" not in rows
    cells = [row.cells for row in text.stream_rows(summary)]
    assert ("– (20 asked anew each turn)",) in cells  # noqa: RUF001 - the dash of a missing figure


def test_users_that_think_are_busy(tmp_path: Path) -> None:
    """A request that no user was free for is late because of them, though none had one in flight."""
    asked = [
        Asked(at_s=at / 2 + turn / 10, gaps_ms=(10,), lag_ms=0.0 if turn else 200.0, request_class=f"turn {turn + 1}")
        for at in range(100)
        for turn in range(2)
    ]
    shares = []
    for word in ("users", "pacer"):
        folder = write_streamed(tmp_path / word, [replace(one, late_cause=word) for one in asked])
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["plan"]["request"] = asdict(RequestPlan(chat="c"))
        (folder / "manifest.json").write_text(json.dumps(manifest))
        shares.append(evidence.gather(load_run(folder)).users_busy)
    assert shares == [1.0, 0.0]
