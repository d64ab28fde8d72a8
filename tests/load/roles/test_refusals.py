"""A worker and whoever says to be its master: what is refused, in whose name, and where a secret never goes.

Both ends are real; between them are fake runners, so that a test can put its own words on the wire.
"""

from __future__ import annotations

import dataclasses
import socket
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import msgpack
import msgspec
import pytest

from bench.clock import ClockAnchor
from bench.credentials import RelayKey
from bench.credentials.relay.seal import Sealer
from bench.endpoint import AuthMode
from bench.errors import RunInvalid
from bench.load.engine import request_source
from bench.load.roles import messages
from bench.load.roles.commands import (
    Command,
    Commander,
    CommandMessage,
    CommandReader,
    Cut,
    Dismiss,
    Go,
    GoOn,
    TakeOver,
)
from bench.load.roles.managers import ManagerPool
from bench.load.roles.order import Order, OrderMessage
from bench.load.roles.part import Part
from bench.load.roles.processes import host_id
from bench.load.roles.worker import Worker
from bench.load.roles.workers import Workers
from bench.plan.run_plan import RunPlan, Variant
from bench.process import supervise
from bench.rundir import RunDir
from bench.target.spec import TargetSpec

SECRET = "canary-secret-of-this-worker"
KEY, OTHER = (RelayKey(letter * 32, is_given=True) for letter in (b"k", b"o"))
MASTERS, WORKERS = RelayKey(b"m" * 32), RelayKey(b"w" * 32)
ORDER = OrderMessage.kind
RUN, NEXT = "20261124-000000-000-abcd", "20261124-000001-000-abce"


class FakeRunner:
    """One end of Locust's messages; what is sent is kept, as it is on the wire."""

    def __init__(self, name: str, **options: Any) -> None:
        self.client_id = name
        self.sent: list[tuple[str, Any, str | None]] = []
        self.listeners: dict[str, Any] = {}
        self.clients = _Clients()
        event = SimpleNamespace(add_listener=lambda _: None)
        self.environment = SimpleNamespace(
            runner=self,
            parsed_options=Namespace(**options),
            stop_timeout=0,
            events=SimpleNamespace(report_to_master=event, worker_report=event, request=SimpleNamespace(_handlers=[])),
        )

    def register_message(self, kind: str, listener: Any) -> None:
        self.listeners[kind] = listener

    def send_message(self, kind: str, data: Any, client_id: str | None = None) -> None:
        self.sent.append((kind, msgpack.loads(msgpack.dumps(data)), client_id))

    def hear(self, kind: str, data: Any, node: str) -> None:
        self.listeners[kind](environment=None, msg=SimpleNamespace(type=kind, data=data, node_id=node))

    def messages_of(self, kind: type[messages.Message]) -> list[Any]:
        return [data for name, data, _ in self.sent if name == kind.kind]


class _Clients(dict[str, Any]):
    silent: tuple[str, ...] = ()

    @property
    def missing(self) -> list[Any]:
        return [SimpleNamespace(id=node) for node in self.silent]


def _reader(key: RelayKey, me: str) -> CommandReader:
    return CommandReader(key, run_id=RUN, me=me, takes_open=False)


class Server:
    """Where requests would go: it counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0)
        self.uri = f"http://127.0.0.1:{self._socket.getsockname()[1]}/score"

    def visited(self) -> bool:
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def own() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def evil() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "payload.json"
    path.write_text('{"a": 1}')
    return path


Start = Callable[..., FakeRunner]


@pytest.fixture
def start(own: Server, payload: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """A worker with that key, started for `own` with a secret for it."""
    monkeypatch.setenv("BENCH_KEY", SECRET)
    workers = []

    def started(key: RelayKey, **options: Any) -> FakeRunner:
        runner = FakeRunner("a", **{"scoring_uri": own.uri, "payload": str(payload), **options})
        workers.append(Worker(runner.environment, key, default_modes=(AuthMode.KEY,)))
        return runner

    yield started
    for worker in workers:
        worker.close()
    supervise.report_to(None)


def order_for(uri: str, payload: Path, folder: Path, run_id: str = RUN) -> Order:
    """As a master makes it."""
    plan = RunPlan(
        target="scoring_uri",
        variants=(Variant(name="key", auth_mode=AuthMode.KEY, scoring_uri=uri),),
        arrival_rate=10.0,
        duration_s=1.0,
        payload=str(payload),
    )
    plan = request_source.complete(plan, request_source.load(plan))
    spec = TargetSpec(kind="scoring_uri", auth_modes=(AuthMode.KEY,), scoring_uris=(uri,), secret_numbers=(0,))
    return Order(plan=plan, spec=spec, run=RunDir(folder / run_id), part=Part())


def give(runner: FakeRunner, message: OrderMessage) -> None:
    """Whoever says to be the master sends an order; returns when the worker has answered or dropped it."""
    before = len(runner.sent)
    runner.hear(message.kind, msgpack.loads(msgpack.dumps(msgspec.to_builtins(message))), "master")
    for _ in range(1000):
        gevent.sleep(0.01)
        if len(runner.sent) > before:
            return


def command(runner: FakeRunner, message: CommandMessage) -> None:
    """Whoever says to be the master sends a command."""
    runner.hear(message.kind, msgpack.loads(msgpack.dumps(msgspec.to_builtins(message))), "master")
    gevent.sleep(0.01)


def _key_id(run_id: str) -> str:
    """What an envelope says of its key, which anybody can read off one."""
    return str(Sealer(KEY, run_id=f"{run_id} order", me="x").seal({}, to="y")["key"])


def _until(happens: Callable[[], Any]) -> None:
    """The condition comes true, however slow the machine is."""
    for _ in range(6000):
        if happens():
            return
        gevent.sleep(0.01)
    raise AssertionError("it never happened")


class TestHostileMaster:
    @pytest.mark.parametrize("key", [WORKERS, KEY], ids=["no key", "with a key"])
    def test_another_scoring_uri_gets_no_secret(
        self, key: RelayKey, start: Start, evil: Server, payload: Path, tmp_path: Path
    ) -> None:
        """A fake master names its own server: nobody connects there, and the worker says why not."""
        runner = start(key)
        give(runner, order_for(evil.uri, payload, tmp_path).as_message(MASTERS, worker="a"))
        assert not evil.visited()
        (refused,) = runner.messages_of(messages.Refused)
        assert "plan" in refused["why"] if key is WORKERS else "not sealed" in refused["why"]
        assert SECRET not in str(runner.sent)
        assert not runner.messages_of(messages.Ready)

    def test_right_hash_and_wrong_seal_goes_to_the_workers_own_target(
        self, start: Start, own: Server, evil: Server, payload: Path, tmp_path: Path
    ) -> None:
        """The hash can be had by who listens; all it opens is the worker's own command line."""
        runner = start(WORKERS)
        hostile = order_for(evil.uri, payload, tmp_path).as_message(MASTERS, worker="a")
        heard = order_for(own.uri, payload, tmp_path).as_message(MASTERS, worker="a")
        give(runner, msgspec.structs.replace(hostile, open=heard.open))
        assert not evil.visited()
        assert own.visited()

    def test_the_old_order_in_the_clear_is_dropped(self, start: Start, evil: Server, tmp_path: Path) -> None:
        """Plan and target unsealed, as they travelled once."""
        runner = start(WORKERS)
        runner.hear(
            "bench_order",
            {"plan": {"variants": [{"scoring_uri": evil.uri}]}, "spec": {}, "run": str(tmp_path), "part": {}},
            "master",
        )
        gevent.sleep(0)
        assert not evil.visited()
        assert not runner.messages_of(messages.Ready)

    def test_a_replayed_order_is_dropped(
        self, start: Start, own: Server, payload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One of a run that this worker has had before, word for word: said once, and the master is not bothered."""
        runner = start(KEY)
        first, second = (
            order_for(own.uri, payload, tmp_path, run_id).as_message(KEY, worker="a") for run_id in (RUN, NEXT)
        )
        give(runner, first)
        give(runner, second)
        for _ in range(3):
            runner.hear(first.kind, msgspec.to_builtins(first), "master")
            gevent.sleep(0)
        assert [ready["error"] for ready in runner.messages_of(messages.Ready)] == ["", ""]
        assert not runner.messages_of(messages.Refused)
        assert capsys.readouterr().err.count("of an earlier run, sent again") == 1

    @pytest.mark.parametrize("first", [True, False], ids=["before the master's", "after it"])
    def test_a_forged_order_costs_nothing(
        self,
        first: bool,
        start: Start,
        own: Server,
        payload: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Altered on its way, in the name of this very run: the worker takes the true one, and refuses nothing."""
        runner = start(KEY)
        true = order_for(own.uri, payload, tmp_path).as_message(KEY, worker="a")
        forged = msgspec.structs.replace(true, sealed={**true.sealed, "sequence": 7}, run_id=RUN if first else NEXT)
        forged = msgspec.structs.replace(forged, sealed={**forged.sealed, "key": _key_id(forged.run_id)})
        for message in (forged, true) if first else (true, forged):
            runner.hear(message.kind, msgspec.to_builtins(message), "master")
            gevent.sleep(0)
        _until(lambda: runner.messages_of(messages.Ready))
        assert [ready["error"] for ready in runner.messages_of(messages.Ready)] == [""]
        assert not runner.messages_of(messages.Refused)
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "ignored a bench_order message that was altered on its way" in said

    def test_another_key_is_said_in_one_line(
        self, start: Start, own: Server, payload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """On the worker's stderr."""
        runner = start(KEY)
        give(runner, order_for(own.uri, payload, tmp_path).as_message(OTHER, worker="a"))
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "sealed with another BENCH_RELAY_KEY" in said
        assert not own.visited()

    def test_a_forged_command_costs_nothing(
        self, start: Start, own: Server, payload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The end of the run in the clear, with another key, for another worker, before an order: said once."""
        runner = start(KEY)
        forged = [
            CommandMessage(sealed={}, open=Cut()),
            Commander(OTHER, run_id=RUN).message(Dismiss(), to="a"),
            Commander(KEY, run_id=RUN).message(Dismiss(), to="b"),
        ]
        command(runner, forged[0])
        give(runner, order_for(own.uri, payload, tmp_path).as_message(KEY, worker="a"))
        for message in forged:
            command(runner, message)
        commander = Commander(KEY, run_id=RUN)
        zero = ClockAnchor.now()
        command(runner, commander.message(Go(monotonic_ns=zero.monotonic_ns, wall_ns=0, host=host_id()), to="a"))
        assert [progress["begun"] for progress in runner.messages_of(messages.Progress)] == [0]
        assert not runner.messages_of(messages.Idle)
        for message in forged:
            command(runner, message)
        assert not runner.messages_of(messages.Drained)
        command(runner, commander.message(Dismiss(), to="a"))  # whatever is due by now, and no user is there for
        _until(lambda: runner.messages_of(messages.Drained))
        assert not runner.messages_of(messages.Failed)
        assert capsys.readouterr().err.count("ignored a bench_command message") == 1


class TestOwnCommandLine:
    def test_a_worker_without_a_key_sends_to_its_own_target(
        self, start: Start, own: Server, payload: Path, tmp_path: Path
    ) -> None:
        """Same target, same payload under another name: ready, and its files are its own until the end."""
        copy = tmp_path / "copy.json"
        copy.write_bytes(payload.read_bytes())
        runner = start(WORKERS, payload=str(copy))
        give(runner, order_for(own.uri, payload, tmp_path).as_message(MASTERS, worker="a"))
        assert [ready["error"] for ready in runner.messages_of(messages.Ready)] == [""]
        assert own.visited()
        assert not list(tmp_path.glob(f"{RUN}*"))

    @pytest.mark.parametrize("key", [KEY, MASTERS], ids=["with a key", "no key"])
    def test_another_payload_is_refused(
        self, key: RelayKey, start: Start, own: Server, payload: Path, tmp_path: Path
    ) -> None:
        """With a key too, where the path is the master's and the file this host's."""
        message = order_for(own.uri, payload, tmp_path).as_message(key, worker="a")
        payload.write_text('{"a": 2}')
        runner = start(KEY if key is KEY else WORKERS)
        give(runner, message)
        (refused,) = runner.messages_of(messages.Refused)
        assert "payload" in refused["why"]
        assert "on every host" in refused["why"]
        assert not own.visited()

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"scoring_uri": ""}, "no target given"),
            ({"scoring_uri": "", "emulator": True}, "set BENCH_RELAY_KEY"),
            ({"payload": "/nowhere/canary.json"}, "canary.json"),
        ],
    )
    def test_options_that_make_no_run(
        self,
        options: dict[str, Any],
        says: str,
        start: Start,
        own: Server,
        payload: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Its own stderr says what is wrong; the network is not shown what is on its disk."""
        runner = start(WORKERS, **options)
        give(runner, order_for(own.uri, payload, tmp_path).as_message(MASTERS, worker="a"))
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert says in said
        assert says not in str(runner.messages_of(messages.Refused))
        assert len(runner.messages_of(messages.Refused)) == 1


@pytest.fixture
def led(own: Server, payload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Led]:
    """A master's workers a and b, which have been given their orders."""
    monkeypatch.setenv("BENCH_KEY", SECRET)
    runner = FakeRunner("master")
    runner.clients.update(a=None, b=None)
    workers = Workers(runner, KEY, on_flight=lambda _: None, on_worker_flight=lambda _: None, on_failed=lambda *_: None)
    order = order_for(own.uri, payload, tmp_path)
    workers.order(order.plan, ManagerPool(order.spec), order.run)
    yield _Led(runner, workers)
    workers.finish()


@dataclasses.dataclass
class _Led:
    runner: FakeRunner
    workers: Workers

    def refuse(self, node: str, mark: str = "") -> None:
        """The order that it was given, or another one."""
        given = [
            msgspec.convert(data, OrderMessage) for kind, data, to in self.runner.sent if (kind, to) == (ORDER, node)
        ]
        why = "its payload\nis not the master's"
        self.runner.hear("bench_refused", {"mark": mark or given[-1].mark, "why": why}, node)

    def commanded(self, kind: type[Command]) -> list[str]:
        """Who was given such a command, in order; each can read its own only."""
        sent = [(data, to) for name, data, to in self.runner.sent if name == CommandMessage.kind]
        read = [(to, _reader(KEY, str(to)).read(msgspec.convert(data, CommandMessage))) for data, to in sent]
        return [str(to) for to, command in read if isinstance(command, kind)]

    def ready(self, node: str) -> None:
        self.runner.hear("bench_ready", {}, node)

    def go(self) -> None:
        self.workers.go(ClockAnchor.now())
        self.workers.look()

    def begin(self) -> None:
        for node in ("a", "b"):
            self.ready(node)
        self.go()

    def look(self) -> None:
        self.workers._looked_ns = 0
        self.workers.look()

    def progress(self, node: str, **figures: int) -> None:
        self.runner.hear("bench_progress", figures, node)

    def woke(self, node: str, **figures: int) -> None:
        self.runner.hear("bench_woke", {"number": 1, "progress": figures}, node)


class TestMaster:
    def test_goes_on_without_the_one_that_refuses(self, led: _Led, capsys: pytest.CaptureFixture[str]) -> None:
        """It is named in one line, gets no start, and the other has its whole part."""
        led.refuse("a")
        assert not led.workers.ready()
        led.ready("b")
        assert led.workers.ready()
        led.go()
        assert led.workers.names == ("w1",)
        (loss,) = led.workers.losses
        assert (loss.worker, loss.samples, loss.taken_over) == ("w0", 0, True)
        assert led.commanded(Go) == ["b"]
        assert led.commanded(TakeOver) == ["b"]
        assert "worker w0 (a) is refused: its payload is not the master's\n" in capsys.readouterr().err

    def test_ends_when_all_refuse(self, led: _Led) -> None:
        """With the reason, not as if they had died."""
        led.refuse("a")
        led.refuse("b")
        with pytest.raises(RunInvalid, match="w0 is refused: its payload is not the master's"):
            led.workers.ready()

    def test_a_refusal_of_another_order_or_too_late_is_nothing(self, led: _Led) -> None:
        """Somebody gave the worker one of his own, or it has its part already."""
        led.refuse("a", "0" * 32)
        led.ready("a")
        led.refuse("a")
        led.ready("b")
        led.go()
        assert led.workers.losses == ()

    def test_one_that_refused_is_not_ready_later(self, led: _Led) -> None:
        """Others have its part."""
        led.refuse("a")
        led.ready("a")
        led.ready("b")
        led.go()
        assert led.commanded(Go) == ["b"]

    @pytest.mark.parametrize("seen", [True, False], ids=["given up", "about to be given up"])
    def test_one_that_wakes_after_it_was_given_up_is_dismissed(self, seen: bool, led: _Led) -> None:
        """Others have what was due a second after its last message; what it began before is lost unless on disk."""
        led.begin()
        led.progress("a", at_ns=0, begun=0)
        led.runner.clients.silent = ("a",)
        if seen:
            led.look()
            led.progress("a", at_ns=1, begun=1)  # its last message, which was still on its way
        led.woke("a", at_ns=4_000_000_000, begun=4, kept=2)
        assert led.commanded(TakeOver) == ["b"]
        assert led.commanded(Dismiss) == ["a"]
        assert led.commanded(GoOn) == []
        led.runner.clients.silent = ()
        assert not led.workers._members.all_reported()
        led.runner.hear("bench_drained", {"progress": {"at_ns": 4_100_000_000, "begun": 4, "kept": 4}}, "a")
        led.runner.hear("bench_drained", {}, "b")
        assert led.workers._members.all_reported()
        (loss,) = led.workers.losses
        assert (loss.taken_over, loss.why) == (True, "it fell silent, and woke later")
        assert loss.samples == max(led.workers._members["a"].may_have_begun - 4, 0)

    def test_one_that_wakes_in_time_goes_on(self, led: _Led) -> None:
        """Nobody has its part."""
        led.begin()
        led.woke("a", at_ns=2_500_000_000)
        assert led.commanded(GoOn) == ["a"]
        assert led.commanded(Dismiss) == []
        assert led.workers.losses == ()

    def test_one_that_did_not_ask_has_sent_what_others_have(
        self, led: _Led, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It was cut off, and ran on: it is sent home, and the run is not whole. It is said by name, with the time."""
        led.begin()
        led.progress("a", at_ns=0, begun=0)
        led.runner.clients.silent = ("a",)
        led.look()
        led.progress("a", at_ns=3_000_000_000, begun=9)
        (loss,) = led.workers.losses
        assert (loss.taken_over, loss.why) == (False, "it fell silent, and came back")
        assert led.commanded(Dismiss) == ["a"]
        led.progress("a", at_ns=3_500_000_000, begun=9)
        lost, back = capsys.readouterr().err.splitlines()
        assert "worker w0 was lost" in lost
        assert back.startswith("warning: worker w0 was heard again 3.0 s into the run: it had run on, so what others")

    def test_a_late_one_that_refuses_costs_nothing(self, led: _Led) -> None:
        """It had no part."""
        led.ready("a")
        led.ready("b")
        led.go()
        led.runner.clients["c"] = None
        led.runner.hear("bench_here", {}, "c")
        led.refuse("c")
        led.look()
        assert led.workers.losses == ()
