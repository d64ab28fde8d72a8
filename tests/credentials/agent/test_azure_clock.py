"""Azure's clock, as its Date headers tell it."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.credentials.agent.azure_clock import AzureClock
from bench.credentials.lease import NS_PER_S

AZURE_S = 1_800_000_000.0


def test_until_a_date_was_seen_it_is_the_hosts():
    """Better than nothing."""
    assert AzureClock().now_s(now_ns=5, host_wall_s=123.0) == 123.0


@given(
    azure_s=st.floats(min_value=1e9, max_value=3e9),
    host_wall_s=st.floats(min_value=0, max_value=4e9),
    later_s=st.floats(min_value=0, max_value=1e5),
)
def test_is_never_behind_and_a_second_ahead_at_most(azure_s, host_wall_s, later_s):
    """Whatever the host's wall clock says, then or later; a lease computed from it ends early, never late."""
    azure = AzureClock()
    azure.observe(formatdate(int(azure_s), usegmt=True), now_ns=10**12)
    now_s = azure.now_s(now_ns=10**12 + int(later_s * NS_PER_S), host_wall_s=host_wall_s)
    assert -1e-3 < now_s - (azure_s + later_s) <= 1 + 1e-3


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_unreadable_date_is_left_out(date):
    """The last good one stays."""
    azure = AzureClock()
    azure.observe(formatdate(AZURE_S, usegmt=True), now_ns=0)
    azure.observe(date, now_ns=NS_PER_S)
    assert azure.now_s(now_ns=0, host_wall_s=0.0) == AZURE_S + 1
