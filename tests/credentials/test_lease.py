"""Leases: zones, deadlines made from Azure's times, masking."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.credentials.lease import (
    MAX_LIFE_S,
    NEVER_NS,
    NS_PER_S,
    Grant,
    Lease,
    NoLifeLeft,
    Validity,
    freshness,
    validity,
)
from bench.endpoint import AuthMode
from bench.sample import Freshness

CANARY = "canary-4f1d"


def lease(valid: Validity, secret: str = CANARY) -> Lease:
    return Lease(
        secret=secret,
        auth_mode=AuthMode.AML_TOKEN,
        generation=1,
        issued_at=valid.issued_at,
        refresh_after=valid.refresh_after,
        expires_at=valid.expires_at,
    )


class TestFreshness:
    def test_zones_follow_one_another(self):
        """FRESH until refresh_after, STALE until the margin before the end, EXPIRED from there on."""
        token = lease(validity(0, life_s=100, refresh_in_s=40))
        at_s = {t: freshness(token, int(t * NS_PER_S)) for t in (0, 39.9, 40, 94.9, 95, 100, 101)}
        assert at_s == {
            0: Freshness.FRESH,
            39.9: Freshness.FRESH,
            40: Freshness.STALE,
            94.9: Freshness.STALE,
            95: Freshness.EXPIRED,
            100: Freshness.EXPIRED,
            101: Freshness.EXPIRED,
        }

    def test_margin_is_a_tenth_of_a_short_life(self):
        """A token of 10 s is usable for 9 s, not for 5."""
        assert lease(validity(0, life_s=10)).usable_until == 9 * NS_PER_S

    def test_key_is_always_fresh(self):
        """A key has no end, a hundred years from now included."""
        key = lease(Validity(issued_at=0))
        assert freshness(key, 100 * 365 * 86400 * NS_PER_S) is Freshness.FRESH
        assert key.usable_until == NEVER_NS


class TestValidity:
    @given(
        life_s=st.floats(min_value=1e-6, max_value=1e12),
        refresh_in_s=st.none() | st.floats(min_value=-1e12, max_value=1e12) | st.just(math.nan) | st.just(math.inf),
        now_ns=st.integers(min_value=0, max_value=10**18),
    )
    def test_every_lease_is_fresh_then_stale_then_expired(self, life_s, refresh_in_s, now_ns):
        """Whatever times Azure sends, now < refresh_after < usable_until <= expires_at."""
        token = lease(validity(now_ns, life_s=life_s, refresh_in_s=refresh_in_s))
        assert now_ns == token.issued_at < token.refresh_after < token.usable_until <= token.expires_at
        assert token.expires_at <= now_ns + int(MAX_LIFE_S) * NS_PER_S

    @pytest.mark.parametrize("life_s", [0.0, -1.0, -1e9, math.nan, -math.inf, math.inf])
    def test_no_life_is_refused(self, life_s):
        """An expiry in the past, or no number at all, makes no lease."""
        with pytest.raises(NoLifeLeft):
            validity(0, life_s=life_s)

    @pytest.mark.parametrize("refresh_in_s", [None, -5, 0, 95, 100, 1e9])
    def test_absurd_refresh_becomes_half_life(self, refresh_in_s):
        """Missing, past, or beyond the usable life: renewed half-way."""
        assert validity(0, life_s=100, refresh_in_s=refresh_in_s).refresh_after == 50 * NS_PER_S

    def test_milliseconds_taken_for_seconds_do_not_live_for_ever(self):
        """An expiry in the wrong unit is cut to two days, so that it is renewed within one."""
        assert validity(0, life_s=1.7e12).refresh_after == 86400 * NS_PER_S


class TestMasking:
    @pytest.mark.parametrize(
        "holder",
        [
            lease(Validity(issued_at=0)),
            Grant(secrets=(CANARY,), auth_mode=AuthMode.KEY, valid=Validity(issued_at=0)),
        ],
        ids=["lease", "grant"],
    )
    def test_repr_and_str_hide_the_secret(self, holder):
        """Neither repr nor str nor format shows it, alone or inside a container."""
        assert CANARY not in f"{holder!r} {holder} {[holder]} {(holder,)!s}"

    def test_header_is_the_bearer_form(self):
        """All three modes are sent alike."""
        assert lease(Validity(issued_at=0)).headers == {"Authorization": f"Bearer {CANARY}"}


def test_grant_crosses_a_pipe_unchanged():
    """as_json and from_json are inverse."""
    grant = Grant(secrets=("a", "b"), auth_mode=AuthMode.KEY, valid=validity(5, life_s=9), generation=7)
    assert Grant.from_json(grant.as_json()) == grant
