"""The policy explored by hypothesis: no reachable state breaks a promise.

A scripted clock, a source that grants or fails as hypothesis likes, callers who ask and are refused at any moment.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bench.credentials.backoff import MAX_RETRY_AFTER_S
from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import NS_PER_S, Grant, Lease, Validity, freshness, validity
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
from bench.credentials.policy import BASE_S, SERVING_CAP_S, WAITING_CAP_S, decide
from bench.endpoint import AuthMode
from bench.sample import Freshness

JITTER = st.floats(min_value=0, max_value=1, exclude_max=True)
SECONDS = st.one_of(st.floats(min_value=0, max_value=0.2), st.floats(min_value=0, max_value=200))
LIFE_S = st.one_of(st.floats(min_value=0.001, max_value=2), st.floats(min_value=2, max_value=5000))


class PolicyMachine(RuleBasedStateMachine):
    """What a manager would do, without greenlets."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 10**12
        self.state = State()
        self.launched = None
        self.handed_out: list[Lease] = []
        self.failed_at: int | None = None
        self.retry_after_s = 0.0
        self.secrets = 0

    def tell(self, event, jitter: float = 0.5):
        before = self.state
        self.state, actions = decide(before, event, now_ns=self.now_ns, jitter=jitter)
        assert self.state.generation >= before.generation
        for action in actions:
            match action:
                case Launch(flight):
                    self.check_launch(before, event, flight)
                    self.launched = flight
                case Serve(lease):
                    self.check_served(lease, event)
                    self.handed_out.append(lease)
        return actions

    def check_served(self, lease: Lease, event) -> None:
        assert self.now_ns < lease.expires_at, "an expired secret was served"
        assert freshness(lease, self.now_ns) is not Freshness.EXPIRED
        assert lease.generation == self.state.generation, "an older lease was served"
        if isinstance(event, Refused):
            assert lease.generation > event.lease.generation, "the refused lease was served again"

    def check_launch(self, before: State, event, flight) -> None:
        assert self.launched is None, "two flights at once"
        assert flight.starts_at >= self.now_ns
        assert flight.cause is self.right_cause(before, event)
        if self.failed_at is not None:
            floor_ns = max(BASE_S, min(self.retry_after_s, MAX_RETRY_AFTER_S)) * NS_PER_S
            assert flight.starts_at >= self.failed_at + floor_ns - 1000, "the back-off was cut short"
        ceiling_s = max(SERVING_CAP_S if before.lease else WAITING_CAP_S, min(self.retry_after_s, MAX_RETRY_AFTER_S))
        assert flight.starts_at <= self.now_ns + ceiling_s * NS_PER_S, "the back-off is too long"

    def right_cause(self, before: State, event) -> FlightCause:
        if before.generation == 0:
            return FlightCause.INITIAL
        if before.lease is None:
            return FlightCause.REFUSED
        zone = freshness(before.lease, self.now_ns)
        if zone is Freshness.EXPIRED:
            return FlightCause.EXPIRED
        current_refused = isinstance(event, Refused) and event.lease.generation == before.generation
        return FlightCause.REFUSED if current_refused else FlightCause.STALE

    def the_asker_is_answered(self, actions) -> None:
        """An asker is served, rejected, or joins a flight that exists."""
        answers = [action for action in actions if isinstance(action, Serve | Wait | Reject)]
        assert len(answers) == 1
        if isinstance(answers[0], Wait):
            assert self.launched is not None, "waits for nothing"

    def next_secret(self) -> str:
        self.secrets += 1
        return f"secret-{self.secrets}"

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS_PER_S)

    @rule()
    def someone_asks(self) -> None:
        self.the_asker_is_answered(self.tell(Asked()))

    @rule(behind=st.integers(min_value=0, max_value=2))
    def a_worker_asks(self, behind: int) -> None:
        self.the_asker_is_answered(self.tell(Asked(max(0, self.state.generation - behind))))

    @precondition(lambda self: self.handed_out)
    @rule(data=st.data(), status=st.sampled_from([401, 401, 401, 403]), jitter=JITTER)
    def someone_is_refused(self, data, status: int, jitter: float) -> None:
        lease = data.draw(st.sampled_from(self.handed_out[-3:]))
        actions = self.tell(Refused(lease, status), jitter)
        self.the_asker_is_answered(actions)
        if isinstance(actions[-1], Reject) and status == 401 and self.state.lease is None and self.launched is None:
            self.failed_at = self.failed_at or self.now_ns

    @precondition(lambda self: self.launched is not None)
    @rule(life_s=LIFE_S, share=st.none() | st.floats(min_value=-1, max_value=2), again=st.booleans())
    def the_flight_brings_a_token(self, life_s: float, share: float | None, again: bool) -> None:
        self.land()
        secret = f"secret-{self.secrets}" if again else self.next_secret()
        valid = validity(self.now_ns, life_s=life_s, refresh_in_s=None if share is None else share * life_s)
        self.brought(Grant(secrets=(secret,), auth_mode=AuthMode.AML_TOKEN, valid=valid))

    @precondition(lambda self: self.launched is not None)
    @rule(rotated=st.booleans())
    def the_flight_brings_keys(self, rotated: bool) -> None:
        self.land()
        primary = self.next_secret() if rotated else "primary"
        grant = Grant(secrets=(primary, "secondary"), auth_mode=AuthMode.KEY, valid=Validity(issued_at=self.now_ns))
        refused = self.state.refused
        self.brought(grant)
        if not set(grant.secrets) <= set(refused):
            assert self.state.lease.secret not in refused, "a refused key was taken though the other was at hand"

    def land(self) -> None:
        self.now_ns = max(self.now_ns, self.launched.starts_at)
        self.launched = None

    def brought(self, grant: Grant) -> None:
        actions = self.tell(Fetched(grant))
        assert [type(action) for action in actions] == [Publish]
        self.failed_at, self.retry_after_s = None, 0.0

    @precondition(lambda self: self.launched is not None)
    @rule(jitter=JITTER, retry_after_s=st.none() | st.floats(min_value=0, max_value=1e6))
    def the_flight_fails(self, jitter: float, retry_after_s: float | None) -> None:
        self.land()
        failure = Failure(kind=FailureKind.UNAVAILABLE, message="down", retry_after_s=retry_after_s)
        assert self.tell(Failed(failure), jitter) == (Share(failure),)
        self.failed_at, self.retry_after_s = self.now_ns, retry_after_s or 0.0

    @rule(ahead=st.integers(min_value=-2, max_value=3), life_s=LIFE_S)
    def the_master_pushes(self, ahead: int, life_s: float) -> None:
        valid = validity(self.now_ns, life_s=life_s)
        generation = max(1, self.state.generation + ahead)
        grant = Grant(secrets=(self.next_secret(),), auth_mode=AuthMode.AML_TOKEN, valid=valid, generation=generation)
        self.tell(Pushed(grant))
        self.failed_at, self.retry_after_s = None, 0.0

    @invariant()
    def policy_and_world_agree_on_the_flight(self) -> None:
        assert (self.state.flight is None) == (self.launched is None)

    @invariant()
    def secrets_do_not_show(self) -> None:
        assert "secret-" not in repr(self.state)

    def teardown(self) -> None:
        """It never gives up: when the source works again, whoever asks is served after one flight."""
        if not any(isinstance(action, Serve) for action in self.tell(Asked())):
            assert self.launched is not None
            wait_s = (self.launched.starts_at - self.now_ns) / NS_PER_S
            assert wait_s <= max(SERVING_CAP_S, MAX_RETRY_AFTER_S)
            self.the_flight_brings_a_token(60.0, None, again=False)
            assert any(isinstance(action, Serve) for action in self.tell(Asked()))


PolicyMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestPolicyMachine = PolicyMachine.TestCase
