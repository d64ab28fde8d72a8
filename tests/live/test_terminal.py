"""The board on a terminal: hostile names, narrow and resized windows, a terminal that goes away, a log."""

from __future__ import annotations

import io
import os
import re
import unicodedata
from typing import Any

import pytest

from bench.live.terminal import Progress
from bench.live.terminal_board import Minute, Rates, Screen, cut, render, sparkline
from bench.live.view import NOTHING, View
from bench.plan.run_plan import RunPlan
from tests.live.test_view import said

PLAN = RunPlan(target="uri", variants=(), payload_sha256="", arrival_rate=10.0, duration_s=60.0, warm_up_s=5.0)
RATES = Rates(asked=10.0, sent=10.0, answered=10.0)
HOSTILE = "\x1b[2J\x1b]0;owned\x07evil\r\n\u202e##vso[task.complete]"


@pytest.fixture(autouse=True)
def _a_terminal_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def lease(variant: str = "key", **facts: Any) -> dict[str, Any]:
    known = {"variant": variant, "generation": 3, "freshness": "fresh", "refresh_in_s": 4.0, "life_left_s": 55.4}
    return {**known, "error": "", **facts}


def view(name: str = "key") -> View:
    one = said("w0")
    failed = [{"variant": name, "outcome": "rejected", "cause": "", "status": 400, "count": 1}]
    variants = {name: one["variants"]["key"]}
    return {
        **one,
        "requests": 4,
        "failures": 1,
        "lag_ms": 0.0,
        "failed": failed,
        "leases": [lease(name)],
        "variants": variants,
        "workers": {"w0": {"cpu": 0.5, "lag_ms": 0.0, "lost": False, "silent_s": 0.0}},
    }


def shown(seen: View, *, at_s: float = 20.0, rates: Rates = RATES, screen: Screen = Screen(columns=200)) -> list[str]:  # noqa: B008
    minute = Minute()
    for _ in range(80):
        minute.add(seen, rates)
    return render(PLAN, at_s, seen, rates=rates, minute=minute, failed="25 % failed: 400 (1)", screen=screen)


class Terminal(io.StringIO):
    """One that understands what the board sends, and nothing else."""

    encoding = "utf-8"  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.at = [""], (0, 0)
        self.is_gone = False

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def write(self, text: str) -> int:
        if self.is_gone:
            raise OSError(5, "Input/output error")
        for part in re.findall(r"\x1b\[\d*[JAm]|.|\n", text):
            self._take(part)
        return len(text)

    def _take(self, part: str) -> None:
        row, column = self.at
        if part == "\n":
            self.at = (row + 1, 0)
            self.rows += [""] * (row + 2 - len(self.rows))
        elif part == "\r":
            self.at = (row, 0)
        elif part == "\x1b[J":
            self.rows[row:] = [self.rows[row][:column]]
        elif part.endswith("A"):
            self.at = (row - int(part[2:-1]), column)
            assert self.at[0] >= 0
        elif not part.startswith("\x1b"):
            self.rows[row] = self.rows[row][:column].ljust(column) + part + self.rows[row][column + 1 :]
            self.at = (row, column + 1)


def test_a_name_moves_no_cursor_and_commands_no_server() -> None:
    lines = shown({**view(HOSTILE), "leases": [lease(HOSTILE, error=HOSTILE)]})
    assert all(letter.isprintable() for line in lines for letter in line)
    assert not any("##vso" in line for line in lines)


@pytest.mark.parametrize("columns", [1, 20, 40, 80])
@pytest.mark.parametrize("name", ["key", "a" * 300, "模型" * 30, "e\u0301" * 50])
def test_no_line_is_wider_than_the_window(columns: int, name: str) -> None:
    for line in shown(view(name), screen=Screen(columns=columns)):
        wide = sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in {"W", "F"}) for c in line)
        assert wide < max(columns, 2)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_there_are_no_more_lines_than_rows(rows: int) -> None:
    """What is cut off is at the end: trust and time come first."""
    assert len(shown(view(), screen=Screen(rows=rows))) == max(rows - 1, 1)


def test_before_the_first_answer_nothing_is_made_up() -> None:
    lines = render(PLAN, 1.0, NOTHING, rates=RATES, minute=Minute(), failed="", screen=Screen())
    assert lines == [
        "",
        "trust so far: ok",
        "warm-up, 1 s, 64 s left",
        "asked 10 sent 10 answered 10/s, 0 in flight",
    ]


def test_the_board_says_what_a_watcher_asks() -> None:
    blank, trust, left, rates, variant, failed, leases = shown(view())
    assert (blank, trust, left) == ("", "trust so far: ok", "20 s, 45 s left")
    assert rates == "asked 10 sent 10 answered 10/s, 1 in flight"
    assert re.fullmatch(r"key p50 [\d,]+ p99 [\d,]+ ms █{60}", variant)
    assert failed == "25 % failed: 400 (1)"
    assert leases == "key lease #3, fresh, 55 s left, refresh in 4 s"


def test_doubt_is_named_and_coloured_by_the_worst() -> None:
    slow = Rates(asked=100.0, sent=98.0, answered=98.0)
    doubtful = {**view(), "lag_ms": 30.0}
    assert shown(doubtful, rates=slow)[1] == "trust so far: bad (schedule lag: 30.0 ms overdue; rate: 98 of 100/s)"
    coloured = shown(doubtful, rates=slow, screen=Screen(columns=20, colour=True))[1]
    assert coloured == "\x1b[31mtrust so far: bad (\x1b[0m"


def test_the_end_is_waited_for_and_a_run_without_one_says_so() -> None:
    assert shown(view(), at_s=66.0)[2] == "66 s, waiting for the last answers"
    assert cut("abc", 0) == ""
    assert sparkline([None, 0.0, 1.0]) == " ▁█"
    assert sparkline([]) == ""


def test_what_others_write_stays_above_the_board() -> None:
    """And nothing of an older board stays."""
    terminal = Terminal()
    progress = Progress(terminal, size=lambda _: os.terminal_size((120, 24)))
    progress.tick(PLAN, 20.0, view)
    terminal.write("worker w1 lost\n")
    progress.tick(PLAN, 21.0, view)
    rows = [row for row in terminal.rows if row]
    assert rows[0] == "worker w1 lost"
    assert [row for row in rows if row.startswith("trust")] == ["trust so far: bad (rate: 0 of 10/s)"]
    progress.clear()
    assert [row for row in terminal.rows if row] == ["worker w1 lost"]


def test_a_window_may_change_its_size_or_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal, sizes = Terminal(), iter([(120, 24), (40, 10), (0, 0)])
    progress = Progress(terminal, size=lambda _: os.terminal_size(next(sizes)))
    widest = []
    for second in (20.0, 21.0, 22.0):
        progress.tick(PLAN, second, view)
        widest.append(max(map(len, terminal.rows)))
    assert widest[1] < 40 <= widest[0] < 120
    assert 40 < widest[2] < 80


def test_a_terminal_that_has_gone_away_ends_no_run() -> None:
    terminal = Terminal()
    progress = Progress(terminal)
    terminal.is_gone = True
    progress.tick(PLAN, 20.0, view)
    progress.clear()


def test_quiet_is_quiet() -> None:
    terminal = Terminal()
    Progress(terminal, quiet=True).tick(PLAN, 20.0, view)
    assert terminal.rows == [""]


@pytest.mark.parametrize("dumb", [False, True])
def test_a_log_gets_a_line_every_thirty_seconds(dumb: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cannot move its cursor is one too."""
    stream: Any = Terminal() if dumb else io.StringIO()
    if dumb:
        monkeypatch.setenv("TERM", "dumb")
    progress = Progress(stream)
    for second in range(61):
        progress.tick(PLAN, float(second), view)
    progress.clear()
    text = "\n".join(stream.rows) if dumb else stream.getvalue()
    assert len(text.splitlines()) in {2, 3}
    assert text.startswith("30 s | 0 of 10/s | p50")
    assert "\x1b" not in text
