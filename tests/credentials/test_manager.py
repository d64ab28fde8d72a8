"""The manager under storms of greenlets, with real greenlets and scripted sources."""

import gc

import gevent
import pytest

from bench.credentials import CredentialManager, Denied, Failure, FailureKind, Lease, StaticSource
from bench.credentials.lease import NS_PER_S
from bench.credentials.policy import BASE_S
from bench.endpoint import AuthMode
from bench.errors import CredentialError, PermissionMissing
from bench.sample import Freshness
from tests.credentials.scripted import DOWN, IntegerSource, ScriptedSource, agrees_with_itself, token

MANY = 10_000


class ScriptedClock:
    def __init__(self, now_ns: int = NS_PER_S) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


def ask_all(manager: CredentialManager, count: int = MANY) -> list:
    """What each of `count` greenlets that ask at once gets: a lease or its exception."""

    def ask():
        try:
            return manager.lease(timeout_s=30)
        except CredentialError as exc:
            return exc

    greenlets = [gevent.spawn(ask) for _ in range(count)]
    gevent.joinall(greenlets)
    return [greenlet.value for greenlet in greenlets]


class TestStorm:
    def test_missing_lease_is_fetched_once(self):
        """10,000 greenlets, no lease yet: one flight, everybody gets its one lease."""
        source = ScriptedSource(lambda number: token(f"t{number}"))
        answers = ask_all(CredentialManager(source))
        assert source.fetches == 1
        assert {id(answer) for answer in answers} == {id(answers[0])}

    def test_stale_lease_is_served_and_renewed_once(self):
        """10,000 greenlets, a stale lease: nobody waits, one flight behind their backs."""
        source = ScriptedSource(lambda number: token(f"t{number}", refresh_in_s=1e-6 if number == 1 else None))
        records = []
        manager = CredentialManager(source, on_flight=records.append)
        manager.lease()
        gevent.sleep(BASE_S)
        source.gate.clear()
        assert {answer.secret for answer in ask_all(manager)} == {"t1"}
        source.gate.set()
        gevent.sleep(0.01)
        assert manager.lease().secret == "t2"
        assert source.fetches == 2
        assert [(record["cause"], record["waiters"]) for record in records] == [("initial", 1), ("stale", 0)]

    def test_expired_lease_is_renewed_once(self):
        """10,000 greenlets, an expired lease: nobody gets the old one, one flight serves all."""
        source = ScriptedSource(lambda number: token(f"t{number}", life_s=0.001 if number == 1 else 3600))
        manager = CredentialManager(source)
        manager.lease()
        gevent.sleep(0.01)
        assert {answer.secret for answer in ask_all(manager)} == {"t2"}
        assert source.fetches == 2

    def test_failure_is_shared_at_once(self):
        """10,000 waiters of a failed flight all get its error, each an exception of its own, after one fetch."""
        source = ScriptedSource(lambda number: DOWN)
        answers = ask_all(CredentialManager(source))
        assert source.fetches == 1
        assert {str(answer) for answer in answers} == {DOWN.message}
        assert len({id(answer) for answer in answers}) == MANY

    def test_refused_lease_is_renewed_once(self):
        """10,000 requests refused with one lease: one forced flight, everybody replays with the next lease."""
        source = ScriptedSource(lambda number: token(f"t{number}"))
        manager = CredentialManager(source)
        refused = manager.lease()
        greenlets = [gevent.spawn(manager.refused, refused, status=401) for _ in range(MANY)]
        gevent.joinall(greenlets)
        assert {greenlet.value.secret for greenlet in greenlets} == {"t2"}
        assert source.fetches == 2
        assert source.refused == [None, refused]

    def test_no_reader_sees_a_torn_or_older_lease(self):
        """Through thousands of renewals every reader sees fields that agree, and generations that never fall."""
        now, source = ScriptedClock(), IntegerSource()
        manager = CredentialManager(source, clock_ns=now)
        torn: list[Lease] = []

        def read():
            newest = 0
            while now.now_ns < 300 * NS_PER_S:
                lease = manager.lease()
                if not agrees_with_itself(lease) or lease.generation < newest or now.now_ns >= lease.expires_at:
                    torn.append(lease)
                newest = lease.generation
                gevent.sleep(0)

        def tick():
            while now.now_ns < 300 * NS_PER_S:
                now.now_ns += NS_PER_S // 3
                while manager.current is None or now.now_ns >= manager.current.expires_at - NS_PER_S // 10:
                    now.now_ns = max(now.now_ns, source.fetches * NS_PER_S)
                    gevent.sleep(0)
                gevent.sleep(0)

        gevent.joinall([gevent.spawn(read) for _ in range(50)] + [gevent.spawn(tick)], timeout=20)
        assert not torn
        assert source.fetches > 100
