"""A static secret: one lease, never renewed, its end reported."""

import jwt
import pytest

from bench import clock
from bench.credentials import Denied, StaticSource
from bench.credentials.claims import expiry_ns, seconds_left
from bench.credentials.lease import NEVER_NS
from bench.credentials.static_manager import StaticManager
from bench.errors import CredentialError
from bench.sample import Freshness


def token(exp: object) -> str:
    return jwt.encode({"exp": exp}, "k" * 32, algorithm="HS256") if exp is not None else jwt.encode({}, "k" * 32)


def manager_of(secret: str) -> tuple[StaticManager, list]:
    flights: list = []
    return StaticManager(StaticSource(secret), on_flight=flights.append), flights


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_secret_is_not_fetched_again(status):
    """It is the same one: no refresh, no flight beside the first, and no denial of a role (C16)."""
    manager, flights = manager_of("hunter2")
    lease = manager.lease()
    for _ in range(3):
        with pytest.raises(CredentialError, match="static key is refused") as caught:
            manager.refused(lease, status=status)
        assert not isinstance(caught.value, Denied)
        assert "hunter2" not in caught.value.describe()
    assert [flight["cause"] for flight in flights] == ["initial"]
    assert manager.lease() is lease


def test_after_its_end_it_is_still_sent():
    """Whether it works is for the endpoint to say; the lease is EXPIRED, so that a 401 is put down to that."""
    manager, flights = manager_of(token(int(clock.wall_s()) - 5))
    lease = manager.lease()
    assert manager.lease() is lease
    assert manager.freshness(lease, clock.monotonic_ns()) is Freshness.EXPIRED
    with pytest.raises(CredentialError, match="it has expired"):
        manager.refused(lease, status=401)
    assert len(flights) == 1
    manager.close()
    with pytest.raises(CredentialError):
        manager.lease()


def test_the_end_of_a_jwt():
    """By this host's clock."""
    assert seconds_left(token(1060), wall_s=1000.0) == 60
    assert expiry_ns(token(1060), now_ns=7, wall_s=1000.0) == 60_000_000_007


@pytest.mark.parametrize("secret", ["hunter2", "a.b.c", "a.e30.c", *(token(exp) for exp in (1e300, True))])
def test_whatever_does_not_say_when_it_ends_lasts(secret):
    assert seconds_left(secret, wall_s=1000.0) is None
    assert expiry_ns(secret, now_ns=7, wall_s=1000.0) == NEVER_NS
