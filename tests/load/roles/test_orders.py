"""What a master tells a worker, and what it gets back: orders and files as plain messages."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgpack
import msgspec
import pytest

from bench.credentials import RelayKey
from bench.endpoint import AuthMode, Workspace
from bench.load.engine.arrivals import schedule
from bench.load.roles import worker_files as worker_files
from bench.load.roles.order import Order, OrderMessage, OrderRefused
from bench.load.roles.own_plan import PlanHashes
from bench.load.roles.part import Part
from bench.plan.prompt_plan import PromptPlan
from bench.plan.request_plan import RequestPlan
from bench.plan.run_plan import RunPlan, Variant
from bench.rundir import RunDir
from bench.target.spec import TargetSpec
from tests.security.searching import found_in

KEY, OTHER = (RelayKey(letter * 32, is_given=True) for letter in (b"k", b"o"))
UNGIVEN, ANOTHER = RelayKey(b"u" * 32), RelayKey(b"a" * 32)
HEADER = "canary-identity-header"
URI = "https://canary-host.example/score"


def on_the_wire(message: OrderMessage) -> OrderMessage:
    """What comes out at the other end."""
    return msgspec.convert(msgpack.loads(msgpack.dumps(msgspec.to_builtins(message))), OrderMessage)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(
        plan=RunPlan(
            target="emulator",
            variants=(Variant(name="key", auth_mode=AuthMode.KEY, scoring_uri=URI),),
            arrival_rate=10.0,
            payload="canary-payload.json",
        ),
        spec=TargetSpec(
            kind="emulator",
            auth_modes=(AuthMode.KEY,),
            endpoints=("ep-key",),
            workspace=Workspace(subscription_id="s", resource_group="g", workspace_name="w"),
            agent_env=(("IDENTITY_HEADER", HEADER),),
        ),
        run=RunDir(tmp_path / "20261124-000000-000-abcd"),
        part=Part(index=1, workers=3),
    )


class TestOrder:
    @pytest.mark.parametrize("key", [KEY, UNGIVEN])
    def test_arrives_as_it_was_sent(self, key: RelayKey, order: Order) -> None:
        """Over Locust's own encoding; a fork of the master has its key without being given one."""
        message = on_the_wire(order.as_message(key, worker="a"))
        assert Order.from_message(message, key, me="a") == order

    @pytest.mark.parametrize("key", [KEY, UNGIVEN])
    def test_shows_neither_secret_nor_target(self, key: RelayKey, order: Order) -> None:
        """With a key and without one: no URI, no file, no folder can be read on the way."""
        sent = msgpack.dumps(msgspec.to_builtins(order.as_message(key, worker="a")))
        for word in (HEADER, "canary", "ep-key", str(order.run.path.parent)):
            assert word.encode() not in sent
        assert not found_in(sent, (HEADER,))

    @pytest.mark.parametrize(
        ("masters", "workers", "me", "says"),
        [
            (OTHER, KEY, "a", "sealed with another BENCH_RELAY_KEY"),
            (UNGIVEN, KEY, "a", "not sealed, and this worker has a BENCH_RELAY_KEY"),
            (KEY, UNGIVEN, "a", "the master has a BENCH_RELAY_KEY and this worker has none"),
            (KEY, KEY, "b", "is another's"),
            (UNGIVEN, UNGIVEN, "b", "is another's"),
        ],
    )
    def test_only_whom_it_is_for_takes_it(
        self, masters: RelayKey, workers: RelayKey, me: str, says: str, order: Order
    ) -> None:
        """Everybody else refuses it in one line that says what to do."""
        with pytest.raises(OrderRefused, match=says) as refused:
            Order.from_message(order.as_message(masters, worker="a"), workers, me=me)
        assert "\n" not in str(refused.value)

    def test_without_any_key_it_is_an_open_one(self, order: Order) -> None:
        """The worker has its own command line for the rest."""
        message = on_the_wire(order.as_message(UNGIVEN, worker="a"))
        assert Order.from_message(message, ANOTHER, me="a") is None
        assert message.open is not None
        assert message.open.numbers.arrival_rate == 10.0

    @pytest.mark.parametrize("what", ["sealed", "sequence", "from", "to", "run_id"])
    def test_a_tampered_one_is_refused(self, what: str, order: Order) -> None:
        """Whichever part of it was changed."""
        message = order.as_message(KEY, worker="a")
        changed = dict(message.sealed)
        if what == "run_id":
            message = msgspec.structs.replace(message, run_id="20261124-000000-000-ffff")
        elif what == "sealed":
            changed["sealed"] = "A" + str(changed["sealed"])[1:][::-1]
        else:
            changed[what] = 7 if what == "sequence" else "b"
        with pytest.raises(OrderRefused):
            Order.from_message(msgspec.structs.replace(message, sealed=changed), KEY, me="a")

    @pytest.mark.parametrize("run_id", ["", ".", "..", "../x", "a/b", "/etc", "a\n", "x" * 200])
    def test_a_run_is_no_path(self, run_id: str, order: Order) -> None:
        """It names the folder of a worker's files."""
        values = msgspec.to_builtins(order.as_message(KEY, worker="a"))
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**values, "run_id": run_id}, OrderMessage)

    @pytest.mark.parametrize(
        "numbers",
        [
            {"arrival_rate": 1e12},
            {"users": 0},
            {"users": 10**9},
            {"duration_s": -1.0},
            {"timeout_s": 0.0},
            {"arrivals": "bursts"},
            {"stages": [{"duration_s": 1.0, "start_rate": 1.0, "end_rate": 1e12}]},
        ],
        ids=str,
    )
    def test_numbers_are_within_what_a_person_may_ask(self, numbers: dict[str, object], order: Order) -> None:
        """Also of a master that made them up."""
        values = msgspec.to_builtins(order.as_message(UNGIVEN, worker="a"))
        values["open"]["numbers"] |= numbers
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(values, OrderMessage)


class TestHashes:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"variants": (Variant(name="key", auth_mode=AuthMode.KEY, scoring_uri=URI + "/v2"),)}, "its plan"),
            ({"deployment": "green"}, "its plan"),
            ({"payload_sha256": "1" * 64}, "its payload"),
            ({"request": RequestPlan(requests="a.jsonl", requests_sha256="1" * 64)}, "its request file"),
            ({"request": RequestPlan(method="GET")}, "its plan"),
            ({"arrivals_from": "times.txt"}, "its plan"),
        ],
    )
    def test_say_which_differs(self, change: dict[str, object], says: str, order: Order) -> None:
        """And what to do about it."""
        other = dataclasses.replace(order.plan, **change)  # type: ignore[arg-type]
        line = PlanHashes.of(other).differing(PlanHashes.of(order.plan))
        assert line.startswith(f"{says} is not the master's")
        assert "every" in line

    def test_what_is_each_hosts_own_makes_no_difference(self, order: Order) -> None:
        """Where a file lies, and the numbers, which are the master's anyway."""
        other = dataclasses.replace(order.plan, payload="/elsewhere.json", ca_file="ca.pem", users=99, seed=3)
        assert not PlanHashes.of(other).differing(PlanHashes.of(order.plan))
        here, there = (
            dataclasses.replace(
                order.plan, request=RequestPlan(prompts=PromptPlan(prompt_tokens="512", tokenizer=path))
            )
            for path in ("here.json", "there/tokenizer.json")
        )
        assert not PlanHashes.of(here).differing(PlanHashes.of(there))
        assert PlanHashes.of(here).differing(PlanHashes.of(order.plan))


class TestParcels:
    def test_files_arrive_whole(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """In pieces, each worker's into its own two files."""
        monkeypatch.setattr(worker_files, "_PIECE_BYTES", 7)
        here, there = RunDir(tmp_path / "here" / "run"), RunDir(tmp_path / "there" / "run")
        for run in (here, there):
            run.samples.mkdir(parents=True)
            run.health.mkdir()
        part = Part(index=2, workers=3)
        contents = {"samples": bytes(range(100)), "health": b'{"end": true}\n'}
        (here.samples / "w2.arrows").write_bytes(contents["samples"])
        (here.health / "w2.jsonl").write_bytes(contents["health"])
        pieces = list(worker_files.pieces(here, part))
        assert len(pieces) == 15 + 2
        for piece in pieces:
            worker_files.put(there, part, msgpack.loads(msgpack.dumps(piece)))
        assert (there.samples / "w2.arrows").read_bytes() == contents["samples"]
        assert (there.health / "w2.jsonl").read_bytes() == contents["health"]
        assert {path.name for path in there.path.rglob("*.*")} == {"w2.arrows", "w2.jsonl"}

    def test_a_worker_cannot_name_a_file(self, tmp_path: Path) -> None:
        """Only what kind it is; the name is the master's."""
        with pytest.raises(KeyError):
            worker_files.put(RunDir(tmp_path), Part(), {"file": "../../.bashrc", "data": b"x"})

    def test_a_folder_is_shared_when_the_manifest_is_seen(self, tmp_path: Path) -> None:
        """Otherwise the worker makes one of its own, for the same run."""
        run = RunDir(tmp_path / "run")
        assert not worker_files.is_shared(run)
        own = worker_files.own_folder(run)
        assert own.run_id == run.run_id
        assert own.samples.is_dir()
        run.path.mkdir()
        run.manifest.write_text("{}")
        assert worker_files.is_shared(run)


def test_a_late_worker_has_no_share(order: Order) -> None:
    """The arrivals were dealt among those that were there; also when they never end."""
    endless = RunPlan(target="", variants=order.plan.variants, arrival_rate=10.0, duration_s=None)
    assert list(schedule(endless, worker=3, workers=3)) == []
    assert not Part(index=3, workers=3).has_share
