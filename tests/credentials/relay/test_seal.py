"""Sealed relay messages: unreadable, unforgeable, never twice."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.credentials.relay.seal import OtherKey, RelayKey, SealBroken, Sealer
from bench.errors import UsageError

KEY = RelayKey(b"k" * 32)
MESSAGE = {"lease": {"secret": "canary-9c"}}


def sealer(me: str, *, key: RelayKey = KEY, run_id: str = "run-1") -> Sealer:
    return Sealer(key, run_id=run_id, me=me)


def test_opens_what_was_sealed_for_it():
    """Through JSON, as a transport would carry it."""
    envelope = json.loads(json.dumps(sealer("master").seal(MESSAGE, to="w1")))
    assert sealer("w1").open(envelope) == MESSAGE


def test_hides_the_secret():
    """Nothing of the message shows in the envelope, and the same message never looks the same."""
    master = sealer("master")
    first, second = (json.dumps(master.seal(MESSAGE, to="w1")) for _ in range(2))
    assert "canary" not in first + second
    assert json.loads(first)["sealed"] != json.loads(second)["sealed"]


def test_is_opened_once():
    """A replay is refused."""
    envelope, worker = sealer("master").seal(MESSAGE, to="w1"), sealer("w1")
    worker.open(envelope)
    with pytest.raises(SealBroken):
        worker.open(envelope)


def test_order_may_differ():
    """Messages that overtake one another on the way are all opened."""
    master, worker = sealer("master"), sealer("w1")
    envelopes = [master.seal({"n": n}, to="w1") for n in range(10)]
    assert [worker.open(envelope)["n"] for envelope in reversed(envelopes)] == list(reversed(range(10)))


def test_one_long_past_is_refused():
    """A number too far behind to be remembered counts as seen."""
    master, worker = sealer("master"), sealer("w1")
    old = master.seal(MESSAGE, to="w1")
    for _ in range(1100):
        newest = master.seal({}, to="w1")
    worker.open(newest)
    with pytest.raises(SealBroken):
        worker.open(old)


@pytest.mark.parametrize(
    "change",
    [
        {"from": "w2"},
        {"to": "w2"},
        {"sequence": 2},
        {"sealed": "AAAA"},
        {"sealed": "not base64!"},
        {"sealed": None},
    ],
)
def test_any_change_is_refused(change):
    """Sender, receiver, number and content are all authenticated."""
    envelope = {**sealer("master").seal(MESSAGE, to="w1"), **change}
    for me in ("w1", "w2"):
        with pytest.raises(SealBroken):
            sealer(me).open(envelope)


@given(data=st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=8)))
def test_garbage_is_refused(data):
    """Whatever comes in, the only answer is SealBroken."""
    with pytest.raises(SealBroken):
        sealer("w1").open(data)


@pytest.mark.parametrize(
    "other", [sealer("master", key=RelayKey(b"x" * 32)), sealer("master", run_id="run-2")], ids=["key", "run"]
)
def test_other_key_and_other_run_are_distinguished_from_forgery(other):
    """The receiver can say what is wrong: the keys differ, or the runs do."""
    with pytest.raises(OtherKey):
        sealer("w1").open(other.seal(MESSAGE, to="w1"))


def test_key_from_the_environment_is_shared_by_whoever_has_it():
    """BENCH_RELAY_KEY gives the same key everywhere; without it each process has its own."""
    environment = {"BENCH_RELAY_KEY": "0123456789abcdef" * 4}
    assert RelayKey.from_environment(environment) == RelayKey.from_environment(environment)
    assert RelayKey.from_environment({}) != RelayKey.from_environment({})


def test_short_key_is_an_error_that_says_how_to_make_one():
    """Sixteen characters are not a key."""
    with pytest.raises(UsageError, match="BENCH_RELAY_KEY") as caught:
        RelayKey.from_environment({"BENCH_RELAY_KEY": "0123456789abcdef"})
    assert "openssl rand" in caught.value.hint
    assert "0123456789abcdef" not in caught.value.describe()


def test_key_does_not_show():
    """repr masks it."""
    assert "kkk" not in repr(KEY)
