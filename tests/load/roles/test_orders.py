"""What a master tells a worker, and what it gets back: orders and files as plain messages."""

from __future__ import annotations

from pathlib import Path

import msgpack
import msgspec
import pytest

from bench.credentials import RelayKey
from bench.endpoint import AuthMode, Workspace
from bench.load.engine.arrivals import schedule
from bench.load.roles import worker_files as worker_files
from bench.load.roles.order import Order, OrderMessage
from bench.load.roles.part import Part
from bench.plan.run_plan import RunPlan, Variant
from bench.rundir import RunDir
from bench.target.spec import TargetSpec
from tests.security.searching import found_in

KEY, OTHER = RelayKey(b"k" * 32), RelayKey(b"o" * 32)
HEADER = "canary-identity-header"


def on_the_wire(message: OrderMessage) -> OrderMessage:
    """What comes out at the other end."""
    return msgspec.convert(msgpack.loads(msgpack.dumps(msgspec.to_builtins(message))), OrderMessage)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(
        plan=RunPlan(target="emulator", variants=(Variant(name="key", auth_mode=AuthMode.KEY),), arrival_rate=10.0),
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
    def test_arrives_as_it_was_sent(self, order: Order) -> None:
        """Over Locust's own encoding."""
        message = on_the_wire(order.as_message(KEY, worker="a"))
        assert Order.from_message(message, KEY, me="a") == order

    def test_shows_no_secret(self, order: Order) -> None:
        """What the agent needs to be the emulator's principal is sealed."""
        assert not found_in(msgpack.dumps(msgspec.to_builtins(order.as_message(KEY, worker="a"))), (HEADER,))

    @pytest.mark.parametrize(("key", "me"), [(OTHER, "a"), (KEY, "b")])
    def test_only_whom_it_is_for_can_open_it(self, key: RelayKey, me: str, order: Order) -> None:
        """Another worker, or one without the key, gets all but the secret."""
        got = Order.from_message(order.as_message(KEY, worker="a"), key, me=me)
        assert got.spec.agent_env == ()
        assert (got.plan, got.part, got.run) == (order.plan, order.part, order.run)


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
