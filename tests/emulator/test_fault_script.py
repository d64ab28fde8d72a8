"""The words of a fault script, and when its faults act."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from bench.emulator.admin import read_script
from bench.emulator.conditions import Conditions, conditions_of
from bench.emulator.faultbook import FaultBook
from bench.emulator.faults import Fault, FaultKind, FaultScriptError, parse_script


def test_a_script_is_yaml_or_json():
    """Both notations say the same, with durations in units or plain seconds."""
    yaml = read_script("faults:\n  - {at: 5, do: rotate_key, key: both}\n  - {at: 500ms, for: 2m, do: stall}\n")
    json = read_script('[{"at": "5s", "do": "rotate_key", "key": "both"}, {"at": 0.5, "for": 120, "do": "stall"}]')
    assert yaml == json
    assert yaml[0] == Fault(kind=FaultKind.ROTATE_KEY, at_s=5.0, key="both")
    assert (yaml[1].at_s, yaml[1].for_s) == (0.5, 120.0)


@pytest.mark.parametrize(
    "entry",
    [
        {"do": "revoke_tokens"},
        {"do": "deny", "action": "listkeys/action", "principal": "managed_identity"},
        {"do": "auth_mode", "to": "aml_token", "endpoint": "ep-key", "for": 1},
        {"do": "clock_skew", "by": "-10m"},
        {"do": "identity", "answer": 429, "retry_after": 2},
        {"do": "arm", "answer": "malformed", "operation": "token"},
        {"do": "stall", "every": 5, "lasts": "500ms"},
        {"do": "validation_delay", "by": "2ms"},
        {"do": "model", "answer": "slow", "delay": 1, "share": 0.1},
    ],
)
def test_every_fault_has_its_words(entry: dict[str, Any]):
    """Each fault is understood on its own, without a list around it."""
    (fault,) = parse_script(entry)
    assert fault.kind == entry["do"]


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("hello", "list of faults"),
        ([{"at": 1}], "fault 1 is not a table with `do`"),
        ([{"do": "explode"}], "unknown `do: explode`"),
        ([{"do": "rotate_key", "for": 3}], "does not know `for`"),
        ([{"do": "rotate_key", "key": "third"}], "`key: third` is none of primary, secondary, both"),
        ([{"do": "rotate_key", "endpoint": "nobody"}], "`endpoint: nobody`"),
        ([{"do": "rotate_key", "at": "soon"}], "`at`: 'soon' is no duration"),
        ([{"do": "rotate_key", "at": -1}], "before the script's zero"),
        ([{"do": "stall"}, {"do": "deny"}], "fault 2 (deny) needs `action`"),
        ([{"do": "deny", "action": "fly"}], "unknown action 'fly'"),
        ([{"do": "stall", "every": 1, "lasts": 1}], "`lasts` must be shorter than `every`"),
        ([{"do": "stall", "for": 0}], "lasts no time"),
        ([{"do": "model", "answer": "500", "share": 2}], "`share` is from 0 to 1"),
        ([{"do": "arm", "answer": "slow"}], "needs `delay`"),
        ([{"do": "arm", "answer": "200"}], "`answer: 200` is none of"),
    ],
)
def test_a_bad_script_is_refused_by_name(document: Any, complaint: str):
    """The message names the fault, the word and what would do."""
    with pytest.raises(FaultScriptError) as caught:
        parse_script(document)
    assert complaint in str(caught.value)


def test_broken_yaml_is_one_line():
    """A text that is no YAML is refused in one line."""
    with pytest.raises(FaultScriptError) as caught:
        read_script("{faults: [")
    assert "\n" not in str(caught.value)


ROTATE_AT_5 = Fault(kind=FaultKind.ROTATE_KEY, at_s=5.0)
SKEW_FROM_2_TO_4 = Fault(kind=FaultKind.CLOCK_SKEW, at_s=2.0, for_s=2.0, by_s=60.0)
STALL_NOW = Fault(kind=FaultKind.STALL, for_s=1.0)


def test_a_book_hands_each_instant_fault_out_once():
    """An instant fault happens at its time and not again, until the script starts anew."""
    book = FaultBook(zero_s=100.0)
    book.add((ROTATE_AT_5,), now_s=100.0)
    assert book.due(104.9) == []
    assert book.due(105.0) == [ROTATE_AT_5]
    assert book.due(105.0) == []
    book.start(zero_s=200.0)
    assert book.due(204.9) == []
    assert book.due(205.1) == [ROTATE_AT_5]


def test_a_lasting_fault_is_on_from_its_beginning_until_before_its_end():
    """Its time is half open, and the book knows when to look again."""
    book = FaultBook(zero_s=0.0)
    book.add((SKEW_FROM_2_TO_4,), now_s=0.0)
    assert [bool(book.active(at)) for at in (1.9, 2.0, 3.9, 4.0)] == [False, True, True, False]
    assert [book.next_change_s(at) for at in (0.0, 2.0, 4.0)] == [2.0, 4.0, None]


def test_a_fault_without_a_time_begins_when_it_is_added():
    """A new zero does not move it."""
    book = FaultBook(zero_s=0.0)
    book.add((STALL_NOW,), now_s=50.0)
    book.start(zero_s=50.5)
    assert [bool(book.active(at)) for at in (50.6, 51.1)] == [True, False]


def test_the_book_tells_what_is_waiting_on_and_over():
    """Each fault has a row that says where it stands."""
    book = FaultBook(zero_s=0.0)
    book.add((ROTATE_AT_5, SKEW_FROM_2_TO_4), now_s=0.0)
    assert [row["phase"] for row in book.describe(1.0)] == ["waiting", "waiting"]
    assert [row["phase"] for row in book.describe(3.0)] == ["waiting", "on"]
    book.due(6.0)
    assert [row["phase"] for row in book.describe(6.0)] == ["over", "over"]


def test_a_book_that_is_held_back_waits_for_its_zero():
    """Whatever has an `at` waits, however long it takes until there is a zero; a zero may lie in the future."""
    book = FaultBook(zero_s=math.inf)
    now = Fault(kind=FaultKind.ARM, answer="503")
    book.add((ROTATE_AT_5, SKEW_FROM_2_TO_4, now), now_s=1.0)
    assert book.due(1e6) == []
    assert [one.fault for one in book.active(1e6)] == [now]
    assert book.next_change_s(1e6) is None
    assert json.loads(json.dumps(book.describe(1.0), allow_nan=False))[2]["begins_s"] == 0.0
    book.start(100.0)
    assert book.due(104.9) == []
    assert [fault.kind for fault in book.due(105.0)] == [FaultKind.ROTATE_KEY]
    rows = [(row["do"], row["begins_s"], row["ends_s"]) for row in book.describe(105.0)]
    assert rows == [("rotate_key", 5.0, 5.0), ("clock_skew", 2.0, 4.0), ("arm", -99.0, None)]


def test_conditions_fold_what_is_active():
    """The last of a kind wins, and the command line's validation delay holds when no fault sets one."""
    assert conditions_of([]) == Conditions()
    assert conditions_of([], validation_delay_ns=5).validation_delay_ns == 5
    book = FaultBook(zero_s=0.0)
    one, two = (Fault(kind=FaultKind.ARM, answer=answer, operation="token") for answer in ("503", "404"))
    delay = Fault(kind=FaultKind.VALIDATION_DELAY, by_s=0.002)
    book.add((one, two, delay, SKEW_FROM_2_TO_4), now_s=0.0)
    conditions = conditions_of(book.active(3.0), validation_delay_ns=5)
    assert conditions.arm_fault("token") == two
    assert conditions.arm_fault("listkeys") is None
    assert (conditions.validation_delay_ns, conditions.skew_s) == (2_000_000, 60.0)


def test_a_fault_that_spoils_so_many_answers():
    """The first ones only, whoever asks; a new start gives it all of them again. It counts for itself."""
    script = [{"at": 0, "do": "arm", "answer": 503, "times": 2}, {"do": "arm", "answer": 503, "times": 2}]
    first, second = parse_script(script)
    book = FaultBook(0.0)
    book.add((first, second), 0.0)
    assert [book.use(first), book.use(first), book.use(first)] == [False, True, False]
    assert [one.fault for one in book.active(1.0)] == [second]
    assert [row["phase"] for row in book.describe(1.0)] == ["over", "on"]
    book.start(2.0)
    assert len(book.active(2.0)) == 2


@pytest.mark.parametrize("word", ["hang", "refuse"])
def test_what_gives_no_answer_cannot_be_counted(word: str):
    with pytest.raises(FaultScriptError, match="`times` counts answers"):
        parse_script({"do": "arm", "answer": word, "times": 1})


@pytest.mark.parametrize("times", [0, -1, 1.5, "two", True])
def test_a_number_of_times(times: Any):
    with pytest.raises(FaultScriptError, match="`times`"):
        parse_script({"do": "arm", "answer": 503, "times": times})
