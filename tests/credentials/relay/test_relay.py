"""The relay between a master and its workers, over a transport in memory that can be cut, copied and spied on."""

import json

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import clock
from bench.credentials import (
    CredentialManager,
    Denied,
    Failure,
    FailureKind,
    Lease,
    RelayClient,
    RelayKey,
    RelayServer,
)
from bench.credentials.lease import NEVER_NS, NS_PER_S
from bench.credentials.policy import BASE_S
from bench.credentials.relay.messages import ClockBridge
from bench.credentials.relay.seal import Sealer
from bench.errors import CredentialError, PermissionMissing
from tests.credentials.scripted import ScriptedSource, token

KEY = RelayKey(b"k" * 32)
VARIANT = "aml_token"


class Network:
    """A master with its workers. Envelopes travel as JSON text, a switch later; `wire` keeps every one of them."""

    def __init__(self, script, *, key: RelayKey = KEY) -> None:
        self.wire: list[tuple[str, str]] = []
        self.cut = False
        self.source = ScriptedSource(script)
        self.manager = CredentialManager(self.source, variant=VARIANT)
        self.server = RelayServer(key, run_id="run", managers={VARIANT: self.manager}, send=self.to_worker)
        self.workers: dict[str, Worker] = {}

    def worker(self, name: str, *, key: RelayKey = KEY) -> "Worker":
        self.workers[name] = Worker(name, self, key)
        return self.workers[name]

    def to_worker(self, name: str, envelope: dict) -> None:
        text = json.dumps(envelope)
        self.wire.append((name, text))
        if not self.cut and name in self.workers:
            gevent.spawn(self.workers[name].client.receive, json.loads(text))

    def to_master(self, envelope: dict) -> None:
        text = json.dumps(envelope)
        self.wire.append(("master", text))
        if not self.cut:
            gevent.spawn(self.server.receive, json.loads(text))


class Worker:
    def __init__(self, name: str, network: Network, key: RelayKey) -> None:
        self.own = ScriptedSource(lambda number: token(f"own-{name}-{number}"))
        self.notices: list[str] = []
        self.records: list[dict] = []
        self.client = RelayClient(
            key, run_id="run", me=name, send=network.to_master, notice=self.notices.append, silence_s=0.2
        )
        self.manager = self.client.manager(VARIANT, self.own, on_flight=self.records.append)


def ask_all(workers: list[Worker], count: int) -> set[str]:
    greenlets = [gevent.spawn(worker.manager.lease) for worker in workers for _ in range(count)]
    gevent.joinall(greenlets)
    return {greenlet.value.secret for greenlet in greenlets}


def settle() -> None:
    """Let what is on the wire arrive."""
    for _ in range(10):
        gevent.sleep(0)


class TestSharing:
    def test_one_flight_for_all_workers(self):
        """Three workers, 300 users: the master fetches once, nobody else does."""
        network = Network(lambda number: token(f"t{number}"))
        workers = [network.worker(f"w{n}") for n in range(3)]
        assert ask_all(workers, 100) == {"t1"}
        assert network.source.fetches == 1
        assert [worker.own.fetches for worker in workers] == [0, 0, 0]
        assert {worker.manager.current.generation for worker in workers} == {1}

    def test_new_worker_gets_the_current_lease(self):
        """Late to the run: one question, no fetch."""
        network = Network(lambda number: token(f"t{number}"))
        ask_all([network.worker("w1")], 1)
        assert ask_all([network.worker("late")], 10) == {"t1"}
        assert network.source.fetches == 1

    def test_renewal_is_pushed(self):
        """A worker has the new lease before it asks for it."""
        network = Network(lambda number: token(f"t{number}", refresh_in_s=1e-6 if number == 1 else None))
        first, second = network.worker("w1"), network.worker("w2")
        ask_all([first, second], 1)
        gevent.sleep(BASE_S)
        network.manager.lease()
        settle()
        assert first.manager.current.secret == second.manager.current.secret == "t2"
        assert network.source.fetches == 2

    def test_stale_lease_is_renewed_once_by_whoever_notices(self):
        """All workers see it stale; the master fetches once, and they go on with the old one meanwhile."""
        network = Network(lambda number: token(f"t{number}", refresh_in_s=0.15 if number == 1 else None))
        workers = [network.worker(f"w{n}") for n in range(3)]
        ask_all(workers, 1)
        gevent.sleep(0.2)
        assert ask_all(workers, 50) == {"t1"}
        gevent.sleep(0.02)
        assert ask_all(workers, 50) == {"t2"}
        assert network.source.fetches == 2

    def test_failure_keeps_its_type(self):
        """A missing role at the master is a PermissionMissing at every worker, action and all."""
        failure = Failure(kind=FailureKind.PERMISSION, message="lacks it", action="x/token/action")
        network = Network(lambda _: failure)
        with pytest.raises(PermissionMissing) as caught:
            network.worker("w1").manager.lease()
        assert caught.value.action == "x/token/action"

    def test_slow_flight_is_not_silence(self):
        """While the master works on it the worker waits, longer than it would for a silent one."""
        network = Network(lambda number: token(f"t{number}"))
        network.source.gate.clear()
        worker = network.worker("w1")
        worker.client._silence_s = 1.5
        asked = gevent.spawn(worker.manager.lease)
        gevent.sleep(1.7)
        network.source.gate.set()
        assert asked.get(timeout=20).secret == "t1"
        assert worker.notices == []


class TestRefusal:
    def test_is_one_flight_for_all_workers(self):
        """The lease is revoked: 150 refusals on three workers make one forced flight at the master."""
        network = Network(lambda number: token(f"t{number}"))
        workers = [network.worker(f"w{n}") for n in range(3)]
        ask_all(workers, 1)
        greenlets = [
            gevent.spawn(worker.manager.refused, worker.manager.current, status=401)
            for worker in workers
            for _ in range(50)
        ]
        gevent.joinall(greenlets)
        assert {greenlet.value.secret for greenlet in greenlets} == {"t2"}
        assert network.source.fetches == 2
        assert network.source.refused[1].secret == "t1"

    def test_denial_reaches_the_workers(self):
        """What the master's renewal brought is refused too: Denied, and at most one call a back-off."""
        network = Network(lambda number: token(f"t{number}"))
        worker = network.worker("w1")
        second = worker.manager.refused(worker.manager.lease(), status=401)
        with pytest.raises(Denied):
            worker.manager.refused(second, status=401)
        assert network.source.fetches == 2

    def test_never_gives_up(self):
        """Refused again and again within seconds, each refusal still reaches the master, until a lease works."""
        network = Network(lambda number: token(f"t{number}"))
        worker = network.worker("w1")
        working = "t4"
        for _ in range(40):
            try:
                lease = worker.manager.lease(timeout_s=5)
                if lease.secret != working:
                    lease = worker.manager.refused(lease, status=401, timeout_s=5)
            except CredentialError:
                continue
            if lease.secret == working:
                break
        assert worker.manager.current.secret == working


class TestAlone:
    def test_silent_master_costs_a_fall_back(self):
        """No word within the stated time: the worker fetches for itself and says so, once."""
        network = Network(lambda number: token(f"t{number}"))
        worker = network.worker("w1")
        network.cut = True
        assert worker.manager.lease().secret == "own-w1-1"
        assert worker.notices == ["relay: no word from the master; this worker fetches its own credentials"]
        assert worker.records[-1]["source"] == "scripted"

    def test_alone_it_does_not_wait_for_the_master_again(self):
        """The next flight goes to its own source at once."""
        network = Network(lambda number: token(f"t{number}"))
        worker = network.worker("w1")
        network.cut = True
        lease = worker.manager.lease()
        before = clock.monotonic_ns()
        worker.manager.refused(lease, status=401)
        assert clock.monotonic_ns() - before < 0.2 * NS_PER_S  # the time it would take for silent
        assert len(worker.notices) == 1

    def test_master_that_comes_back_serves_again(self):
        """The knock of the next flight is answered: its lease is taken, numbered above our own."""
        network = Network(lambda number: token(f"t{number}"))
        worker = network.worker("w1")
        network.cut = True
        own = worker.manager.lease()
        network.cut = False
        worker.manager.refused(own, status=401)
        settle()
        assert worker.manager.lease().secret == "t1"
        assert worker.manager.current.generation > own.generation
        assert worker.notices[-1] == "relay: the master is back; it fetches for this worker again"
        assert ask_all([worker], 1) == {"t1"}

    def test_other_key_is_said_and_the_worker_fetches_for_itself(self):
        """Not after a silence but at once; the master serves it nothing."""
        network = Network(lambda number: token(f"t{number}"))
        worker = network.worker("w1", key=RelayKey(b"x" * 32))
        assert worker.manager.lease().secret == "own-w1-1"
        assert "BENCH_RELAY_KEY" in worker.notices[0]
        assert (network.source.fetches, network.server.rejected) == (0, 1)

    def test_dead_worker_is_no_trouble(self):
        """Pushes to it go nowhere; once forgotten there are none."""
        network = Network(lambda number: token(f"t{number}"))
        ask_all([network.worker("w1"), network.worker("w2")], 1)
        del network.workers["w1"]
        network.server.forget("w1")
        network.wire.clear()
        network.manager.refused(network.manager.lease(), status=401)
        settle()
        assert {name for name, _ in network.wire} == {"w2"}


class TestOrder:
    """A master's messages may overtake one another, and some come late."""

    def test_older_push_changes_nothing(self):
        """The newer lease came first; the older one stays out."""
        network = Network(lambda number: token(f"t{number}"))
        worker = network.worker("w1")
        ask_all([worker], 1)
        network.cut = True
        network.wire.clear()
        lease = network.manager.refused(network.manager.lease(), status=401)
        gevent.sleep(BASE_S)
        with pytest.raises(Denied):
            network.manager.refused(lease, status=401)
        network.manager.lease()
        pushes = [json.loads(text) for name, text in network.wire if name == "w1"]
        assert len(pushes) == 2
        for envelope in reversed(pushes):
            worker.client.receive(envelope)
        assert worker.manager.current.secret == "t3"

    def test_reply_to_an_earlier_question_is_not_taken(self):
        """A failure that belongs to a question given up long ago does not answer the present one."""
        network = Network(lambda number: token(f"t{number}"))
        network.cut = True
        worker = network.worker("w1")
        asked = gevent.spawn(worker.manager.lease)
        gevent.sleep(0)
        gevent.sleep(0)
        stranger = Sealer(KEY, run_id="run", me="master")
        failure = Failure(kind=FailureKind.UNAVAILABLE, message="long ago").as_json()
        late = {"reply": 77, "variant": VARIANT, "failure": failure, "sent_at": 0}
        worker.client.receive(stranger.seal(late, to="w1"))
        assert asked.get(timeout=20).secret == "own-w1-1"


class TestSecurity:
    def test_no_secret_on_the_wire(self):
        """Everything that crossed it in a life of fetching, pushing and refusing."""
        network = Network(lambda number: token(f"canary-{number}"))
        workers = [network.worker(f"w{n}") for n in range(2)]
        ask_all(workers, 3)
        workers[0].manager.refused(workers[0].manager.lease(), status=401)
        settle()
        everything = "".join(text for _, text in network.wire)
        assert len(network.wire) > 6
        assert "canary" not in everything

    def test_replayed_and_redirected_envelopes_are_dropped(self):
        """A copy of every message, to whom it was sent and to whom it was not, changes nothing."""
        network = Network(lambda number: token(f"t{number}"))
        first, second = network.worker("w1"), network.worker("w2")
        ask_all([first, second], 1)
        lease = first.manager.refused(first.manager.lease(), status=401)
        settle()
        copies, fetches = list(network.wire), network.source.fetches
        rejected = network.server.rejected + first.client.rejected + second.client.rejected
        for _, text in copies:
            for receive in (network.server.receive, first.client.receive, second.client.receive):
                receive(json.loads(text))
        settle()
        assert network.source.fetches == fetches
        assert (first.manager.current, second.manager.current.secret) == (lease, lease.secret)
        now_rejected = network.server.rejected + first.client.rejected + second.client.rejected
        assert now_rejected - rejected == 3 * len(copies)

    def test_closed_server_keeps_no_lease(self):
        """Nothing is left of them in the master's end."""
        network = Network(lambda number: token(f"canary-{number}"))
        ask_all([network.worker("w1")], 1)
        network.server.close()
        assert not any(network.server._leases.values())


class TestClockBridge:
    @given(
        offset_ns=st.integers(min_value=-(10**15), max_value=10**15),
        delays_ns=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=5),
        deadline_ns=st.integers(min_value=10**16, max_value=10**17),
    )
    def test_deadline_never_moves_later(self, offset_ns, delays_ns, deadline_ns):
        """Whatever the clocks' zeros and the delays, early by the quickest question's way at most, never late."""
        bridge, now_ns = ClockBridge(), 10**15
        for there_ns, back_ns in delays_ns:
            bridge.learn(asked_at=now_ns, sent_at=now_ns + there_ns + offset_ns)
            now_ns += there_ns + back_ns
        true_ns = deadline_ns - offset_ns
        assert true_ns - min(there_ns for there_ns, _ in delays_ns) <= bridge.ours(deadline_ns) <= true_ns

    def test_never_stays_never(self):
        """A key's deadlines are no times."""
        bridge = ClockBridge()
        bridge.learn(asked_at=5, sent_at=10)
        assert bridge.ours(NEVER_NS) == NEVER_NS


def test_leases_of_the_worker_are_masked():
    """The same masking as everywhere."""
    network = Network(lambda _: token("canary-1"))
    lease = network.worker("w1").manager.lease()
    assert isinstance(lease, Lease)
    assert "canary" not in repr(lease) + repr(vars(network.workers["w1"].client))
