"""Who gets to the model, and where: judged without a socket."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.emulator.admission import Gate, Traffic
from bench.emulator.bucket import TokenBucket
from bench.emulator.conditions import Conditions
from bench.emulator.faults import Fault, FaultKind
from bench.emulator.roles import full_action
from bench.emulator.settings import Settings
from bench.emulator.state import State
from bench.emulator.throttle import ArmThrottle
from bench.emulator.tokens import TokenAuthority

AUTHORITY = TokenAuthority("https://issuer/")


def state(settings: Settings | None = None) -> State:
    keys = (f"key-{number}" for number in range(100))
    return State(settings or Settings(), authority=AUTHORITY, make_key=lambda: next(keys))


def key_reason(world: State, authorization: bytes) -> str:
    refusal = Gate(world, world.endpoints["ep-key"]).refusal(authorization, 0.0)
    return refusal.reason if refusal else "ok"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (b"Bearer key-0", "ok"),
        (b"bearer key-1", "ok"),
        (b"Bearer key-2", "unknown_key"),
        (b"Bearer KEY-0", "unknown_key"),
        (b"Bearer \xff\xfe", "unknown_key"),
        (b"key-0", "bad_header"),
        (b"Basic key-0", "bad_header"),
        (b"Bearer ", "bad_header"),
        (b"", "missing_header"),
    ],
)
def test_both_keys_open_the_door_and_nothing_else(authorization: bytes, reason: str):
    """The scheme's case does not matter, the key's does."""
    assert key_reason(state(), authorization) == reason


def test_a_rotated_key_is_distinguished_from_an_unknown_one():
    """The one that was replaced is refused as rotated, the other stays good."""
    world = state()
    world.happen(Fault(kind=FaultKind.ROTATE_KEY, key="primary"))
    assert [key_reason(world, b"Bearer key-%d" % n) for n in (0, 1, 6)] == ["rotated", "ok", "ok"]
    world.happen(Fault(kind=FaultKind.ROTATE_KEY, key="both"))
    assert [key_reason(world, b"Bearer key-%d" % n) for n in (1, 6, 7, 8)] == ["rotated", "rotated", "ok", "ok"]


def test_rotating_to_the_current_key_makes_a_new_one():
    """The SDK sends the key it has just listed; taken by its word nothing would rotate."""
    world = state()
    endpoint = world.endpoints["ep-key"]
    world.rotate_key(endpoint, "primary", endpoint.primary_key)
    assert endpoint.primary_key == "key-6"
    world.rotate_key(endpoint, "secondary", "chosen")
    assert endpoint.secondary_key == "chosen"


def test_an_auth_mode_is_switched_and_switched_back():
    """While the fault is on the key endpoint wants a token; afterwards the same keys are good again."""
    world = state()
    world.under(Conditions(auth_modes=(("key", "aml_token"),)))
    assert key_reason(world, b"Bearer key-0") == "malformed"
    world.under(Conditions())
    assert key_reason(world, b"Bearer key-0") == "ok"


def test_a_role_is_lacked_from_the_start_or_for_a_while():
    """An action can be denied to all principals by option, or to one of them by a fault."""
    action = full_action("listkeys/action")
    lacking = state(Settings(denied=("listkeys/action",)))
    assert not lacking.allows(lacking.managed_identity, action)
    world = state()
    world.under(Conditions(denials=frozenset({("managed_identity", action)})))
    assert not world.allows(world.managed_identity, action)
    assert world.allows(world.service_principal, action)
    world.under(Conditions())
    assert world.allows(world.managed_identity, action)


def test_traffic_follows_the_weights_and_the_seed():
    """9 of 10 go to blue, and the same seed sends the same ones."""
    weights = (("blue", 90), ("green", 10))
    first, again = Traffic(weights, seed=3), Traffic(weights, seed=3)
    chosen = [first.choose("") for _ in range(5000)]
    assert chosen == [again.choose("") for _ in range(5000)]
    assert Counter(chosen)["blue"] == pytest.approx(4500, rel=0.03)


@pytest.mark.parametrize(("pinned", "chosen"), [("", "blue"), ("green", "green"), ("blue", "blue"), ("red", "")])
def test_pinning_passes_the_weights_by(pinned: str, chosen: str):
    """A named deployment is used even without traffic; an unknown one is none."""
    assert Traffic((("blue", 100), ("green", 0)), seed=1).choose(pinned) == chosen


def test_without_positive_traffic_there_is_no_deployment():
    """All weights 0: nothing to choose."""
    assert Traffic((("blue", 0),), seed=1).choose("") == ""


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=60))
def test_a_bucket_never_gives_more_than_its_capacity_and_refill(gaps_s: list[float]):
    """In any stretch of time it hands out at most what it held plus what was refilled."""
    bucket, now_s, taken = TokenBucket(capacity=5, per_s=10), 0.0, 0
    for gap_s in gaps_s:
        now_s += gap_s
        taken += bucket.take(now_s)
    assert taken <= 5 + 10 * now_s + 1e-6


def test_arm_counts_reads_and_writes_apart_and_refuses_only_when_enforced():
    """The 201st write within a second is 429 with a Retry-After of 1; unenforced it only says what is left."""
    enforced = ArmThrottle("sub", enforced=True)
    answers = [enforced.meter("me", "POST", 0.0)[1] for _ in range(201)]
    assert all(answer is None for answer in answers[:200])
    assert answers[200] is not None
    assert (answers[200].status, dict(answers[200].headers)["retry-after"]) == (429, "1")
    assert enforced.meter("me", "GET", 0.0)[1] is None
    assert enforced.meter("somebody", "POST", 0.0)[1] is None
    lenient = ArmThrottle("sub", enforced=False)
    for _ in range(300):
        header, refusal = lenient.meter("me", "GET", 0.0)
        assert refusal is None
    assert header == ("x-ms-ratelimit-remaining-subscription-reads", "0")
