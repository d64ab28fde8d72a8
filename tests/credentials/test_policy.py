"""The policy, rule by rule, as short stories with a scripted clock."""

from dataclasses import dataclass, field

import pytest

from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import NS_PER_S, Grant, Lease, Validity, validity
from bench.credentials.moves import (
    Asked,
    Failed,
    Fetched,
    FlightCause,
    Launch,
    Publish,
    Pushed,
    Refused,
    Reject,
    Serve,
    Share,
    State,
    Wait,
)
from bench.credentials.policy import BASE_S, DENIAL_WINDOW_S, SERVING_CAP_S, WAITING_CAP_S, decide
from bench.endpoint import AuthMode

DOWN = Failure(kind=FailureKind.UNAVAILABLE, message="down")


@dataclass
class Story:
    """A policy and its clock. Every step answers with the names of the actions; `last` keeps them."""

    now_ns: int = 1000 * NS_PER_S
    state: State = field(default_factory=State)
    last: tuple = ()

    def tell(self, event) -> list[str]:
        self.state, self.last = decide(self.state, event, now_ns=self.now_ns, jitter=0.999)
        return [type(action).__name__ for action in self.last]

    def later(self, seconds: float) -> "Story":
        self.now_ns += round(seconds * NS_PER_S)
        return self

    def ask(self, newer_than: int = 0) -> list[str]:
        return self.tell(Asked(newer_than))

    def refuse(self, lease: Lease, status: int = 401) -> list[str]:
        return self.tell(Refused(lease, status))

    def fail(self, failure: Failure = DOWN) -> list[str]:
        return self.tell(Failed(failure))

    def grant_token(self, secret: str, life_s: float = 100, refresh_in_s: float = 50) -> list[str]:
        valid = validity(self.now_ns, life_s=life_s, refresh_in_s=refresh_in_s)
        return self.tell(Fetched(Grant(secrets=(secret,), auth_mode=AuthMode.AML_TOKEN, valid=valid)))

    def grant_keys(self, *secrets: str) -> list[str]:
        valid = Validity(issued_at=self.now_ns)
        return self.tell(Fetched(Grant(secrets=secrets, auth_mode=AuthMode.KEY, valid=valid)))

    @property
    def lease(self) -> Lease:
        assert self.state.lease is not None
        return self.state.lease

    @property
    def launched(self):
        return next(action.flight for action in self.last if isinstance(action, Launch))

    @property
    def starts_in_s(self) -> float:
        return (self.launched.starts_at - self.now_ns) / NS_PER_S


def with_token(**times: float) -> Story:
    story = Story()
    story.ask()
    story.grant_token("t1", **times)
    return story


def with_keys(*keys: str) -> Story:
    story = Story()
    story.ask()
    story.grant_keys(*keys)
    return story


class TestZones:
    def test_first_asker_launches_and_all_wait(self):
        """One flight, cause initial; whoever comes later joins it."""
        story = Story()
        assert story.ask() == ["Launch", "Wait"]
        assert story.launched.cause is FlightCause.INITIAL
        assert story.ask() == story.ask() == ["Wait"]

    def test_fresh_is_served_without_a_flight(self):
        """No call while FRESH."""
        assert with_token().later(49).ask() == ["Serve"]

    def test_stale_is_served_and_renewed_behind_the_back(self):
        """The first to see it launches, everybody goes on with the old lease."""
        story = with_token().later(51)
        assert story.ask() == ["Launch", "Serve"]
        assert story.launched.cause is FlightCause.STALE
        assert story.ask() == ["Serve"]
        assert story.lease.secret == "t1"
        assert story.grant_token("t2") == ["Publish"]
        assert story.ask() == ["Serve"]
        assert story.last[0] == Serve(story.lease)
        assert story.lease.generation == 2

    def test_expired_is_not_served(self):
        """Everybody waits for the one flight, cause expired."""
        story = with_token().later(96)
        assert story.ask() == ["Launch", "Wait"]
        assert story.launched.cause is FlightCause.EXPIRED

    def test_lease_that_expires_during_its_renewal_is_not_served(self):
        """Those who went on with the stale lease wait once it is expired; the flight stays the same one."""
        story = with_token().later(51)
        story.ask()
        assert story.later(45).ask() == ["Wait"]

    def test_times_absurdly_short_do_not_make_a_storm(self):
        """A token of 20 ms is renewed ten times a second at most."""
        story = with_token(life_s=0.02, refresh_in_s=0.001).later(0.019)
        assert story.ask() == ["Launch", "Wait"]
        assert story.starts_in_s == pytest.approx(BASE_S - 0.019)


class TestFailure:
    def test_is_shared_and_the_next_flight_backs_off(self):
        """All waiters get the failure; the next asker waits for a flight that waits for its back-off."""
        story = Story()
        story.ask()
        assert story.fail() == ["Share"]
        assert story.last == (Share(DOWN),)
        assert story.ask() == ["Launch", "Wait"]
        assert story.starts_in_s == pytest.approx(BASE_S)

    def test_stale_lease_outlives_failed_renewals(self):
        """The old lease is served, at most one attempt a back-off, however many ask."""
        story = with_token().later(51)
        story.ask()
        story.fail()
        assert story.ask() == ["Serve"]
        assert story.later(BASE_S).ask() == ["Launch", "Serve"]

    def test_back_off_is_long_behind_the_backs_and_short_for_those_who_wait(self):
        """Up to SERVING_CAP_S while the old lease serves; once it has expired, WAITING_CAP_S is the longest."""
        story = with_token(life_s=1000, refresh_in_s=50).later(51)
        for _ in range(12):
            story.later(SERVING_CAP_S)
            story.ask()
            story.fail()
        assert story.later(SERVING_CAP_S - 0.2).ask() == ["Serve"]
        assert story.later(0.2).ask() == ["Launch", "Serve"]
        story.later(2000)
        story.fail()
        assert story.ask() == ["Launch", "Wait"]
        assert story.starts_in_s <= WAITING_CAP_S

    def test_back_off_shrinks_with_what_the_old_lease_has_left(self):
        """A tenth of it at the most, so that a short outage is noticed to be over while the lease still serves."""
        story = with_token(life_s=100, refresh_in_s=10).later(75)
        for _ in range(8):
            story.later(SERVING_CAP_S / 5)
            story.ask()
            story.fail()
        left_s = (story.state.lease.usable_until - story.now_ns) / 1e9
        assert 0 < left_s < 20
        assert (story.state.background_from - story.now_ns) / 1e9 <= max(left_s / 10, WAITING_CAP_S)

    def test_retry_after_is_a_floor(self):
        """Neither a waiter nor a background renewal comes earlier than the server asked."""
        story = Story()
        story.ask()
        story.fail(Failure(kind=FailureKind.THROTTLED, message="429", retry_after_s=6))
        story.ask()
        assert story.starts_in_s == pytest.approx(6)

    def test_success_forgets_the_back_off(self):
        """The first failure after a success backs off by the base again."""
        story = Story()
        for _ in range(5):
            story.ask()
            story.fail()
        story.ask()
        story.grant_token("t1")
        story.later(96).ask()
        story.fail()
        story.ask()
        assert story.starts_in_s == pytest.approx(BASE_S)


class TestRefusal:
    def test_current_lease_is_dropped_and_renewed_at_once(self):
        """A 401 to the newest lease: a forced flight, cause refused, and nobody is served the refused one."""
        story = with_token()
        refused = story.lease
        assert story.refuse(refused) == ["Launch", "Wait"]
        assert story.launched.cause is FlightCause.REFUSED
        assert story.launched.refused == refused
        assert story.starts_in_s == pytest.approx(0)
        assert story.ask() == ["Wait"]

    def test_storm_of_refusals_is_one_flight(self):
        """Everybody who was refused the same lease joins."""
        story = with_token()
        refused = story.lease
        story.refuse(refused)
        assert [story.refuse(refused) for _ in range(100)] == [["Wait"]] * 100

    def test_refusal_of_an_old_lease_replays_with_the_newer_one(self):
        """No flight: the request was sent before the renewal."""
        story = with_token()
        old = story.lease
        story.later(51).ask()
        story.grant_token("t2")
        assert story.refuse(old) == ["Serve"]
        assert story.last == (Serve(story.lease),)

    def test_refusal_of_a_lease_that_expired_meanwhile_is_an_expiry(self):
        """The flight's cause is expired: nothing else was wrong with it."""
        story = with_token()
        story.later(97)
        assert story.refuse(story.lease) == ["Launch", "Wait"]
        assert story.launched.cause is FlightCause.EXPIRED

    def test_refusal_joins_a_renewal_under_way(self):
        """Never two flights."""
        story = with_token().later(51)
        story.ask()
        assert story.refuse(story.lease) == ["Wait"]

    def test_a_refusal_right_after_a_failure_backs_off(self):
        """The control plane was asked a moment ago and failed: its back-off holds for the refused too."""
        story = with_token().later(51)
        story.ask()
        story.fail(Failure(kind=FailureKind.THROTTLED, message="429", retry_after_s=6))
        story.refuse(story.lease)
        assert story.starts_in_s == pytest.approx(6)


class TestKeys:
    def test_fail_over_to_the_secondary(self):
        """The same primary comes back after its refusal: take the secondary."""
        story = with_keys("p1", "s1")
        assert story.lease.secret == "p1"
        story.refuse(story.lease)
        story.grant_keys("p1", "s1")
        assert story.lease.secret == "s1"

    def test_rotated_primary_is_taken(self):
        """A new primary is better than the old secondary."""
        story = with_keys("p1", "s1")
        story.refuse(story.lease)
        story.grant_keys("p2", "s1")
        assert story.lease.secret == "p2"

    def test_both_rotated_one_after_the_other(self):
        """First the primary is refused, later the secondary we fell over to: the new primary is taken."""
        story = with_keys("p1", "s1")
        story.refuse(story.lease)
        story.grant_keys("p1", "s1")
        story.later(60)
        story.refuse(story.lease)
        story.grant_keys("p2", "s2")
        assert story.lease.secret == "p2"

    def test_both_refused_tries_the_primary_again(self):
        """Nothing else is left, and the endpoint may have come to its senses."""
        story = with_keys("p1", "s1")
        story.refuse(story.lease)
        story.grant_keys("p1", "s1")
        story.refuse(story.lease)
        story.later(BASE_S).ask()
        story.grant_keys("p1", "s1")
        assert story.lease.secret == "p1"


class TestDenial:
    def denied(self) -> Story:
        story = with_token()
        story.refuse(story.lease)
        story.grant_token("t2")
        assert story.later(0.01).refuse(story.lease) == ["Reject"]
        return story

    def test_refusal_right_after_the_renewal_is_a_denial(self):
        """It is said at once, with a cause, and no flight starts for it."""
        story = self.denied()
        assert isinstance(story.last[0], Reject)
        assert story.last[0].failure.kind is FailureKind.DENIED
        assert "aml_token" in story.last[0].failure.message

    def test_a_lease_that_worked_is_renewed_again(self):
        """A key rotated twice in a row: the second was accepted before it was refused, so renewing did help."""
        story = with_token()
        story.refuse(story.lease)
        story.grant_token("t2")
        assert story.later(0.01).tell(Refused(story.lease, 401, worked=True)) == ["Launch", "Wait"]
        assert story.starts_in_s == pytest.approx(0)

    def test_everybody_refused_is_answered_at_once(self):
        """Also those whose lease was an older one."""
        story = with_token()
        first = story.lease
        story.refuse(first)
        story.grant_token("t2")
        story.refuse(story.lease)
        assert story.refuse(first) == ["Reject"]

    def test_one_retry_per_back_off(self):
        """Whoever asks waits for the one next flight; its delay grows while the denial stands, up to the cap."""
        story = self.denied()
        delays = []
        for number in range(6):
            assert story.ask() == ["Launch", "Wait"]
            assert story.launched.cause is FlightCause.REFUSED
            delays.append(story.starts_in_s)
            story.later(story.starts_in_s)
            story.grant_token(f"t{number + 3}")
            assert story.refuse(story.lease) == ["Reject"]
        assert delays[0] == pytest.approx(BASE_S)
        assert delays == sorted(delays)
        assert delays[-1] == pytest.approx(WAITING_CAP_S)

    def test_ends_when_a_lease_holds(self):
        """A lease that was good for longer than the window and is then refused is renewed at once again."""
        story = self.denied()
        story.ask()
        story.later(BASE_S).grant_token("t3")
        story.later(DENIAL_WINDOW_S)
        assert story.refuse(story.lease) == ["Launch", "Wait"]
        assert story.starts_in_s == pytest.approx(0)

    def test_a_403_keeps_the_lease_and_calls_nobody(self):
        """Renewing does not give a role; others go on."""
        story = with_token()
        assert story.refuse(story.lease, status=403) == ["Reject"]
        assert story.last[0].failure.kind is FailureKind.DENIED
        assert story.ask() == ["Serve"]
        assert story.state.flight is None


class TestPushed:
    def push(self, story: Story, generation: int, secret: str) -> list[str]:
        valid = validity(story.now_ns, life_s=100)
        grant = Grant(secrets=(secret,), auth_mode=AuthMode.AML_TOKEN, valid=valid, generation=generation)
        return story.tell(Pushed(grant))

    def test_keeps_the_masters_number(self):
        """Generation 7 of the master is generation 7 here."""
        story = Story()
        assert self.push(story, 7, "t7") == ["Publish"]
        assert story.last == (Publish(story.lease),)
        assert story.lease.generation == 7

    def test_flight_under_way_stays_the_only_one(self):
        """The push serves the waiters; the flight is still in the air, so nobody launches another."""
        story = Story()
        story.ask()
        self.push(story, 1, "t1")
        assert story.state.flight is not None
        assert story.later(60).ask() == ["Serve"]

    def test_same_lease_again_is_not_a_new_generation(self):
        """The flight's reply brings what was pushed a moment ago."""
        story = Story()
        story.ask()
        self.push(story, 7, "t7")
        valid = validity(story.now_ns, life_s=100)
        story.tell(Fetched(Grant(secrets=("t7",), auth_mode=AuthMode.AML_TOKEN, valid=valid, generation=7)))
        assert story.lease.generation == 7

    def test_number_never_falls(self):
        """After own fetching our number may be ahead of the master's."""
        story = with_token()
        story.later(51).ask()
        story.grant_token("t2")
        self.push(story, 1, "m1")
        assert (story.lease.secret, story.lease.generation) == ("m1", 3)


class TestNewerThan:
    def test_fresh_is_served_as_it_is(self):
        """A worker that is early gets the same lease."""
        assert with_token().ask(newer_than=1) == ["Serve"]

    def test_stale_waits_for_the_renewal(self):
        """The worker has the stale one already; it wants the next."""
        assert with_token().later(51).ask(newer_than=1) == ["Launch", "Wait"]

    def test_older_is_served_the_newest(self):
        """A worker that is behind gets what there is, and the renewal starts."""
        assert with_token().later(51).ask(newer_than=0) == ["Launch", "Serve"]

    def test_in_a_back_off_it_waits_for_the_next_attempt(self):
        """Were it refused, its own back-off would come on top, and the end of an outage be noticed that much later."""
        story = with_token().later(51)
        story.ask()
        story.fail()
        assert story.ask(newer_than=1) == ["Launch", "Wait"]
        assert story.starts_in_s == pytest.approx(BASE_S)


def test_answers_are_never_silent():
    """Whatever happened, an asker is served, rejected, or waits for a flight that exists."""
    story = Story()
    for _ in range(3):
        assert isinstance(story.ask() and story.last[-1], Wait)
        assert story.state.flight is not None
        story.fail()
