"""What the master shows of its workers: those that are there, those that fell silent, came late or are lost."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from bench.errors import UsageError
from bench.live import web_guard
from bench.live.board import Board, lights
from bench.live.rolling import Rolling
from bench.live.view import NOTHING, View, merge, of_worker
from bench.load.roles.member import Member
from bench.load.roles.messages import Look
from bench.load.roles.part import Part
from bench.plan.run_plan import RunPlan

SECOND = 1_000_000_000
WORDS = {"variant": {"key": 0}, "outcome": {"ok": 0}, "cause": {"": 0}, "tokens_from": {"": 0, "usage": 1}}
STREAM_COLUMNS = ("tokens_from", "first_token_ns", "last_token_ns", "output_tokens")
COLUMNS = ("done_ns", "intended_ns", "sent_ns", "variant", "outcome", "cause", "attempt")


def said(name: str, *, tokens: int = 0) -> View:
    """A worker that has answered three requests in the last second, has one under way and is 7 ms late."""
    rolling = Rolling(WORDS)
    rows = np.zeros(3, dtype=[(column, "i8") for column in (*COLUMNS, *STREAM_COLUMNS)])
    rows["done_ns"], rows["intended_ns"], rows["sent_ns"] = 5 * SECOND, 4 * SECOND, 4 * SECOND
    if tokens:
        rows["tokens_from"], rows["output_tokens"] = 1, tokens
        rows["first_token_ns"], rows["last_token_ns"] = 4.5 * SECOND, 5 * SECOND
    rolling.fold(rows)
    return {
        **NOTHING,
        "requests": 3,
        "in_flight": 1,
        "lag_ms": 7.0,
        "variants": rolling.figures(5.0),
        "workers": {name: {"cpu": 0.5, "lag_ms": 7.0}},
    }


def test_a_view_arrives_as_it_was_sent() -> None:
    """Sketches and all, over a message of plain values."""
    view = said("w0")
    sent = json.loads(json.dumps(msgspec.to_builtins(Look(view=view))))
    assert msgspec.convert(sent, Look).view == view


@pytest.mark.parametrize("wrong", [{}, {"view": 1}, {"view": {**NOTHING, "variants": {"a": []}}}])
def test_what_is_no_view_is_refused(wrong: Any) -> None:
    """A worker's word is a stranger's."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Look)


def test_what_a_lost_worker_was_doing_nobody_does_any_more() -> None:
    """Its requests stay counted; what it had under way, its lag and its last ten seconds do not."""
    both = merge(
        [
            of_worker("w0", said("w0"), lost=False, late=False, silent_s=0.2),
            of_worker("w1", said("w1"), lost=True, late=False, silent_s=9.0),
        ]
    )
    assert (both["requests"], both["in_flight"]) == (6, 1)
    assert both["variants"]["key"]["whole"]["outcomes"] == {"ok": 6}
    assert both["variants"]["key"]["recent"]["outcomes"] == {"ok": 3}
    assert [worker["lost"] for worker in both["workers"].values()] == [False, True]
    assert {"name": "w1", "state": "bad", "text": "lost"} in lights(both, None)


def test_silence_is_seen_before_the_loss() -> None:
    """A worker speaks once a second."""
    quiet = of_worker("w0", said("w0"), lost=False, late=False, silent_s=6.2)
    assert {"name": "w0", "state": "doubtful", "text": "silent for 6 s"} in lights(quiet, None)


@pytest.mark.parametrize("late", [False, True])
def test_one_that_has_said_nothing_yet_is_in_the_table(*, late: bool) -> None:
    """Who came when the run had begun has no share of it, and is said to be late."""
    member = Member(node="n", part=Part(index=2 if late else 0, workers=2))
    worker = member.seen(5 * SECOND)["workers"][member.name]
    assert worker == {"cpu": 0.0, "lag_ms": 0.0, "lost": False, "late": late, "silent_s": 0.0}


def test_the_age_of_a_view_is_the_masters_own() -> None:
    """By its clock, from when the view came."""
    member = Member(node="n", part=Part(index=0, workers=1), view=said("w0"), looked_ns=SECOND)
    assert member.seen(3 * SECOND)["workers"]["w0"]["silent_s"] == 2.0


@pytest.mark.parametrize("states", [[], ["missing"], ["missing", "missing"]])
def test_a_master_of_nobody_starts_nothing(states: list[str]) -> None:
    """Locust would say that it has started, and only log that it has not."""
    clients = {str(number): SimpleNamespace(state=state) for number, state in enumerate(states)}
    with pytest.raises(UsageError, match="no worker is there"):
        web_guard._refuse_without_workers(SimpleNamespace(clients=clients))
    clients["w"] = SimpleNamespace(state="ready")
    web_guard._refuse_without_workers(SimpleNamespace(clients=clients))
    web_guard._refuse_without_workers(SimpleNamespace())


def test_the_page_has_a_row_of_tokens_for_who_streams_only() -> None:
    """First token 500 ms, 50 tokens 10.2 ms apart, three answers of them in ten seconds."""
    board = Board()
    board.begin("r", RunPlan(target="emulator", variants=()))
    board.tick(20.0, NOTHING, asked_rate=0)
    plain, streams = (
        of_worker("w0", said("w0", tokens=tokens), lost=False, late=False, silent_s=0.2) for tokens in (0, 50)
    )
    assert board.as_json(plain)["rows"]["streams"] == []
    (row,) = board.as_json(merge([streams, plain]))["rows"]["streams"]
    assert (row[0], row[-2:]) == ("key", ["15/s", "150"])
    assert [float(time) for time in row[1:6]] == pytest.approx([500, 500, 500, 10.2, 10.2], rel=0.011)


def test_the_rate_is_judged_over_ten_seconds() -> None:
    """One second of random arrivals says nothing, nor does the first, in which answers are still awaited."""
    board = Board()
    assert board.recent_mean is None
    board.begin("r", RunPlan(target="emulator", variants=()))
    for second, answered in enumerate([0, *[100, 80, 120] * 5]):
        board.tick(float(second), NOTHING, asked_rate=100.0)
        board._points[-1]["variants"] = {"key": {"answered": answered}}
    assert board.recent_mean == {"asked": 100.0, "variants": {"all": {"answered": 102.0}}}
    (lag, rate) = lights(NOTHING, board.recent_mean)
    assert (lag["state"], rate["state"], rate["text"]) == ("ok", "ok", "102 of 100/s")


def flight(**changes: Any) -> dict[str, Any]:
    record = {"variant": "key", "cause": "refused", "generation": 12, "outcome": "ok", "error": "", "waiters": 8}
    return record | {"started_ns": SECOND, "ended_ns": SECOND + 41_000_000, "longest_wait_ns": 3_000_000} | changes


def test_a_refresh_is_marked_and_counted_by_its_cause() -> None:
    board = Board()
    board.flight(flight())
    board.begin("r", RunPlan(target="emulator", variants=()))
    board.flight(flight())
    board.flight(flight(outcome="failed", error="no"), zero_ns=SECOND)
    shown = board.as_json(NOTHING)
    assert shown["fetches"] == {"key": {"by_cause": {"refused": 2}, "longest_wait_ms": 3.0}}
    assert [(event["mark"], event["text"]) for event in shown["events"][1:]] == [
        ("refresh", "key: refresh 12 (refused) took 41 ms, 8 waited for it up to 3 ms"),
        ("loss", "key: a fetch (refused) failed after 41 ms: no"),
    ]


@pytest.mark.parametrize("record", [{}, {"ended_ns": "x", "variant": None}, {"longest_wait_ns": None, "cause": 1}])
def test_a_flight_in_a_stranger_s_words_breaks_nothing(record: dict[str, Any]) -> None:
    board = Board()
    board.begin("r", RunPlan(target="emulator", variants=()))
    board.flight(record)
    json.dumps(board.as_json(NOTHING))


def test_a_loss_is_said_once() -> None:
    board = Board()
    board.begin("r", RunPlan(target="emulator", variants=()))
    for at_s in (1.0, 2.0, 3.0):
        board.tick(at_s, of_worker("w1", said("w1"), lost=True, late=False, silent_s=9.0), asked_rate=0)
    assert [event["text"] for event in board.as_json(NOTHING)["events"]] == ["run r begins", "worker w1 lost"]


def test_a_scripted_fault_is_marked_when_its_time_comes() -> None:
    """Its beginning and its end, at the times of the script; the next run has none of it."""
    board = Board()
    plan = RunPlan(target="emulator", variants=())
    board.begin("20260101-000000-000-aaaa", plan)
    stall = {"do": "stall", "answer": "", "from_s": 2.0, "to_s": 3.5}
    board.expect([stall, {"do": "arm", "answer": "503", "from_s": 9.0, "to_s": None}])

    def marks(at_s: float) -> list[tuple[float, str]]:
        board.tick(at_s, NOTHING, asked_rate=1.0)
        return [(one["at_s"], one["text"]) for one in board.as_json(NOTHING)["events"] if one["mark"] == "fault"]

    assert marks(1.9) == []
    assert marks(2.1) == [(2.0, "fault: stall")]
    assert marks(9.5) == [(2.0, "fault: stall"), (3.5, "fault over: stall"), (9.0, "fault: arm 503")]
    board.begin("20260101-000000-000-bbbb", plan)
    assert len(marks(20.0)) == 3
