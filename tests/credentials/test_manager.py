"""The manager under storms of greenlets, with real greenlets and scripted sources."""

import gc
from itertools import pairwise

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
    def __init__(self) -> None:
        self.now_ns = 0

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
        source = ScriptedSource(lambda _: DOWN)
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
        """Through hundreds of renewals every reader sees fields that agree, and generations that never fall."""
        now, source = ScriptedClock(), IntegerSource()
        manager = CredentialManager(source, clock_ns=now)
        last_ns = 300 * NS_PER_S
        wrong: list[Lease] = []

        def read():
            newest = 0
            while now.now_ns < last_ns:
                lease = manager.lease()
                if not agrees_with_itself(lease) or lease.generation < newest or now.now_ns >= lease.expires_at:
                    wrong.append(lease)
                newest = lease.generation
                gevent.sleep(0)

        def tick():
            """A third of a second a turn, but never past the newest grant's life: the source dates them by number."""
            while now.now_ns < last_ns:
                now.now_ns = min(now.now_ns + NS_PER_S // 3, (source.fetches + 1) * NS_PER_S - 1)
                gevent.sleep(0)

        gevent.joinall([gevent.spawn(read) for _ in range(50)] + [gevent.spawn(tick)], timeout=20)
        assert not wrong
        assert source.fetches >= 299


class TestFresh:
    def test_reading_makes_no_call(self):
        """While FRESH the source is left alone and the very same lease is handed out."""
        source = ScriptedSource(lambda number: token(f"t{number}"))
        manager = CredentialManager(source)
        first = manager.lease()
        assert all(manager.lease() is first for _ in range(1000))
        assert source.fetches == 1

    def test_current_and_its_deadline_can_be_read_directly(self):
        """A hot loop may look at `current` and `fresh_until_ns` without a call."""
        manager = CredentialManager(ScriptedSource(lambda _: token("t")))
        assert (manager.current, manager.fresh_until_ns) == (None, 0)
        lease = manager.lease()
        assert manager.current is lease
        assert manager.fresh_until_ns == lease.refresh_after
        assert manager.freshness(lease, lease.refresh_after) is Freshness.STALE

    def test_static_key_is_served_for_ever(self):
        """A static secret needs no agent and never goes stale."""
        manager = CredentialManager(StaticSource("  a-key\n", auth_mode=AuthMode.KEY))
        lease = manager.lease()
        assert (lease.secret, lease.auth_mode, lease.generation) == ("a-key", AuthMode.KEY, 1)
        assert manager.freshness(lease, 10**18) is Freshness.FRESH


class TestFailures:
    def test_next_asker_waits_for_the_next_flight(self):
        """After a failed flight the next asker is not failed again at once: it waits out the back-off and is served."""
        source = ScriptedSource(lambda number: DOWN if number == 1 else token(f"t{number}"))
        manager = CredentialManager(source)
        with pytest.raises(CredentialError, match="503"):
            manager.lease()
        assert manager.lease().secret == "t2"
        assert source.fetches == 2

    def test_crowd_in_an_outage_makes_one_call_a_back_off(self):
        """200 users who ask again and again for half a second: never two calls within the shortest back-off."""
        times = []
        source = ScriptedSource(lambda _: times.append(gevent.get_hub().loop.now()) or DOWN)
        manager = CredentialManager(source)

        def insist():
            while len(times) < 4:
                try:
                    manager.lease()
                except CredentialError:
                    gevent.sleep(0)

        gevent.joinall([gevent.spawn(insist) for _ in range(200)])
        assert source.overlaps == 0
        assert min(later - earlier for earlier, later in pairwise(times)) >= BASE_S * 0.95

    def test_deadline_is_kept_and_the_flight_goes_on(self):
        """A caller gives up after its own timeout; the lease the flight then brings serves the next."""
        source = ScriptedSource(lambda number: token(f"t{number}"))
        source.gate.clear()
        manager = CredentialManager(source)
        with pytest.raises(CredentialError, match="in time"):
            manager.lease(timeout_s=0.02)
        source.gate.set()
        assert manager.lease().secret == "t1"
        assert source.fetches == 1

    def test_source_that_breaks_leaves_nobody_waiting(self):
        """A bug in a source is a failure like any other, without its message: that could hold anything."""

        def broken(number):
            raise ZeroDivisionError("canary-1b7e")

        with pytest.raises(CredentialError, match="ZeroDivisionError") as caught:
            CredentialManager(ScriptedSource(broken)).lease()
        assert "canary" not in caught.value.describe()

    def test_missing_permission_keeps_its_type_and_action(self):
        """Every waiter gets a PermissionMissing that names the action."""
        failure = Failure(kind=FailureKind.PERMISSION, message="lacks it", action="a/b/listkeys/action", hint="ask")
        with pytest.raises(PermissionMissing) as caught:
            CredentialManager(ScriptedSource(lambda _: failure)).lease()
        assert caught.value.action == "a/b/listkeys/action"
        assert caught.value.exit_code == 3

    def test_dead_agent_is_asked_again_in_the_same_flight(self):
        """An agent that dies in mid-flight costs its waiters nothing but time."""
        died = Failure(kind=FailureKind.AGENT, message="the credential agent died")
        records = []
        source = ScriptedSource(lambda number: died if number == 1 else token("t"))
        assert CredentialManager(source, on_flight=records.append).lease().secret == "t"
        assert [record["attempts"] for record in records] == [2]


class TestDenied:
    def test_renewal_that_does_not_help_is_said_at_once(self):
        """Refused again right after the renewal: Denied, no third fetch for it."""
        source = ScriptedSource(lambda number: token(f"t{number}"))
        manager = CredentialManager(source)
        second = manager.refused(manager.lease(), status=401)
        with pytest.raises(Denied, match="refuses the aml_token"):
            manager.refused(second, status=401)
        assert source.fetches == 2

    def test_crowd_that_is_denied_makes_no_storm(self):
        """100 users, every lease refused: one call a back-off, and each of them hears of it."""
        times = []
        source = ScriptedSource(lambda number: times.append(gevent.get_hub().loop.now()) or token(f"t{number}"))
        manager = CredentialManager(source)
        denials = []

        def insist():
            while len(times) < 6:
                lease = manager.lease()
                gevent.sleep(0.001)  # the request
                try:
                    lease = manager.refused(lease, status=401)
                    gevent.sleep(0.001)  # its replay
                    manager.refused(lease, status=401)
                except Denied as exc:
                    denials.append(exc)

        gevent.joinall([gevent.spawn(insist) for _ in range(100)])
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps[1:]) >= BASE_S * 0.95  # the first renewal is at once
        assert len(denials) >= 100

    def test_forbidden_calls_nobody(self):
        """A 403 is said at once and the lease stays for the others."""
        source = ScriptedSource(lambda _: token("t"))
        manager = CredentialManager(source)
        lease = manager.lease()
        with pytest.raises(Denied, match="forbids"):
            manager.refused(lease, status=403)
        assert manager.lease() is lease
        assert source.fetches == 1


class TestRecords:
    def test_flight_is_recorded_with_its_waiters(self):
        """Cause, generation, times, waiters and the longest wait; whoever came first waited longest."""
        source = ScriptedSource(lambda _: token("t"))
        source.gate.clear()
        records = []
        manager = CredentialManager(source, variant="aml_token", on_flight=records.append)
        greenlets = [gevent.spawn(manager.lease) for _ in range(3)]
        gevent.sleep(0.02)
        assert manager.snapshot().waiters == 3
        source.gate.set()
        gevent.joinall(greenlets)
        (record,) = records
        assert {
            name: record[name] for name in ("variant", "auth_mode", "source", "cause", "generation", "waiters")
        } == {
            "variant": "aml_token",
            "auth_mode": "aml_token",
            "source": "scripted",
            "cause": "initial",
            "generation": 1,
            "waiters": 3,
        }
        assert record["outcome"] == "ok"
        assert record["ended_ns"] - record["started_ns"] > 10_000_000
        assert record["longest_wait_ns"] >= record["ended_ns"] - record["started_ns"]

    def test_failed_flight_says_why(self):
        """The error is one line; the generation is that of the lease there was."""
        records = []
        with pytest.raises(CredentialError):
            CredentialManager(ScriptedSource(lambda _: DOWN), on_flight=records.append).lease()
        assert (records[0]["outcome"], records[0]["error"], records[0]["generation"]) == ("failed", DOWN.message, 0)

    def test_snapshot_is_for_display(self):
        """Generation, times and counts; never a secret."""
        manager = CredentialManager(ScriptedSource(lambda _: token("canary-77", life_s=100)), variant="v")
        manager.lease()
        shown = manager.snapshot()
        assert (shown.variant, shown.generation, shown.freshness) == ("v", 1, Freshness.FRESH)
        assert 49 < shown.refresh_in_s <= 50 < 99 < shown.life_left_s <= 100
        assert (shown.flights, shown.failures, shown.in_flight, shown.error) == (1, 0, False, "")
        assert "canary" not in repr(shown)


class TestClose:
    def test_wakes_whoever_waits_and_refuses_whoever_comes(self):
        """Nobody hangs on a closed manager."""
        source = ScriptedSource(lambda _: token("t"))
        source.gate.clear()
        manager = CredentialManager(source)
        waiter = gevent.spawn(manager.lease)
        gevent.sleep(0.01)
        manager.close()
        waiter.join(timeout=20)
        assert isinstance(waiter.exception, CredentialError)
        with pytest.raises(CredentialError, match="closed"):
            manager.lease()

    def test_grant_that_comes_too_late_is_not_kept(self):
        """Closed while the source had it in its hands already."""
        manager = CredentialManager(ScriptedSource(lambda _: manager.close() or token("late")))
        with pytest.raises(CredentialError, match="closed"):
            manager.lease()
        gevent.sleep(0)
        assert manager.current is None
        assert manager._state.lease is None

    def test_wipes_every_lease(self):
        """No lease or grant is left anywhere in the process, the current and the refused one included."""
        source = ScriptedSource(lambda number: token(f"wiped-{number}"))
        manager = CredentialManager(source)
        manager.refused(manager.lease(), status=401)
        manager.close()
        source.refused.clear()
        gc.collect()
        leases = [thing for thing in gc.get_objects() if type(thing) is Lease]  # some objects answer no other question
        left = [lease for lease in leases if lease.secret.startswith("wiped-")]
        assert left == []
        assert "wiped-" not in repr(vars(manager))
