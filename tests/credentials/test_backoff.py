"""Back-off: decorrelated jitter within its bounds, the server's wish above it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.credentials.backoff import MAX_RETRY_AFTER_S, honoured_retry_after_s, next_delay_s

JITTER = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(jitters=st.lists(JITTER, min_size=1, max_size=30))
def test_every_delay_is_within_base_cap_and_three_times_the_last(jitters):
    """base <= delay <= cap, and it at most triples."""
    delay_s = 0.0
    for jitter in jitters:
        last_s, delay_s = delay_s, next_delay_s(delay_s, base_s=0.1, cap_s=0.8, jitter=jitter)
        assert 0.1 <= delay_s <= 0.8
        assert delay_s <= max(0.1, 3 * last_s)


def test_first_delay_is_the_base():
    """After one failure the next attempt is near."""
    assert next_delay_s(0.0, base_s=0.1, cap_s=10, jitter=0.999) == 0.1


def test_delays_grow_to_the_cap():
    """With the largest jitter each is three times the last until the cap."""
    delays = [0.0]
    for _ in range(5):
        delays.append(next_delay_s(delays[-1], base_s=1, cap_s=20, jitter=0.999999999))
    assert [round(delay) for delay in delays[1:]] == [1, 3, 9, 20, 20]


@pytest.mark.parametrize(
    ("asked_s", "obeyed_s"), [(None, 0), (0, 0), (-3, 0), (6, 6), (372, 372), (1e9, MAX_RETRY_AFTER_S)]
)
def test_retry_after_is_obeyed_up_to_ten_minutes(asked_s, obeyed_s):
    """A server's Retry-After counts in full unless it is absurd."""
    assert honoured_retry_after_s(asked_s) == obeyed_s
