"""A run's endings, with a fake runner and fake senders: what goes wrong is a row in a table."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event

from bench import schemas
from bench.clock import ClockAnchor
from bench.credentials import RelayKey
from bench.endpoint import AuthMode
from bench.errors import BenchError, CredentialError, RunInvalid, UsageError
from bench.live.view import NOTHING, View
from bench.load.roles import conductor, manifest_file
from bench.load.roles import master as module
from bench.load.roles.losses import Loss
from bench.load.roles.managers import ManagerPool
from bench.load.roles.master import Master
from bench.load.roles.messages import Failed
from bench.load.roles.senders import DiskLoss
from bench.load.roles.shape import Shape
from bench.plan.run_plan import RunPlan, Variant
from bench.process import handover, supervise
from bench.rundir import RunDir
from bench.target.spec import TargetSpec

SECRET = "canary-secret-of-a-lease"


class FakeSenders:
    """Senders that do as a test says."""

    lead_ns = 0
    names = ("w0", "w1")
    complete = True
    awaited = ""

    def __init__(self) -> None:
        self.losses: tuple[Loss, ...] = ()
        self.managers = (SimpleNamespace(current=SimpleNamespace(secret=SECRET)),)
        self.all_lost = False
        self.disk = DiskLoss()
        self.is_drained = True
        self.done: list[str] = []
        self.faults: dict[str, Exception] = {}

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what in self.faults:
            raise self.faults[what]

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None:
        del plan, pool, run
        self._do("order")

    def ready(self) -> bool:
        self._do("ready")
        return True

    def go(self, zero: ClockAnchor) -> None:
        del zero
        self._do("go")

    def look(self) -> None:
        self._do("look")

    def change(self, plan: RunPlan) -> None:
        self._do(f"change to {plan.changes[-1].arrival_rate:g}/s")

    def cut(self) -> None:
        self._do("cut")

    def drained(self) -> bool:
        return self.is_drained

    def facts(self) -> dict[str, Any]:
        return {}

    def view(self) -> View:
        return NOTHING

    def disk_loss(self) -> DiskLoss:
        return self.disk

    def finish(self) -> None:
        self._do("finish")

    def close(self) -> None:
        self._do("close")


class FakeRunner:
    """Locust's runner, as far as a master uses it: quitting fires what Locust fires."""

    user_count = 1
    target_user_count = 1

    def __init__(self) -> None:
        self.master: Master
        self.stats = SimpleNamespace(reset_all=lambda: None)
        self.has_quit = Event()

    def register_message(self, kind: str, listener: Any) -> None:
        """Nobody sends any."""

    def quit(self) -> None:
        self.master.cut()
        self.master.end()
        self.master.close(signal=True)
        self.has_quit.set()

    def stop(self) -> None:
        self.quit()


@dataclass
class Bench:
    """A master between fakes, and what became of its run."""

    master: Master
    senders: FakeSenders
    runner: FakeRunner
    environment: Any
    out: Path
    monkeypatch: pytest.MonkeyPatch

    def run(self) -> None:
        self.master.begin()
        assert self.runner.has_quit.wait(60), "the run does not end"

    @property
    def manifest(self) -> dict[str, Any]:
        (path,) = self.out.glob("*/manifest.json")
        values: dict[str, Any] = json.loads(path.read_text())
        return values


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv(handover.RUN_VARIABLE, str(tmp_path / "run-folder"))
    monkeypatch.setattr(conductor, "_GRACE_S", 0.0)
    monkeypatch.setattr(module.gevent, "signal_handler", lambda *_: None)
    runner = FakeRunner()
    environment = SimpleNamespace(
        parsed_options=Namespace(out=str(tmp_path / "out")),
        runner=runner,
        web_ui=None,
        shape_class=None,
        stop_timeout=0,
        process_exit_code=None,
        events=SimpleNamespace(request=SimpleNamespace(_handlers=[])),
    )
    master = Master(environment, default_modes=(AuthMode.KEY,), relay_key=RelayKey(b"k" * 32))
    runner.master = master
    senders = FakeSenders()
    master.senders = senders
    variant = Variant(name="key", auth_mode=AuthMode.KEY, scoring_uri="http://127.0.0.1:9/score")
    master.preparation.plan = RunPlan(
        target="scoring_uri", variants=(variant,), arrival_rate=1000.0, duration_s=0.05, warm_up_s=0.0, timeout_s=0.05
    )
    master.preparation.pool = ManagerPool(TargetSpec(kind="scoring_uri", auth_modes=(AuthMode.KEY,)))
    yield Bench(master, senders, runner, environment, tmp_path / "out", monkeypatch)
    gevent.sleep(0.01)  # its own second stop breaks as the first did, and shall not reach the next test's master
    supervise.report_to(None)


def _nothing(bench: Bench) -> None:
    """All goes well."""


def _disk_is_full_at_the_end(bench: Bench) -> None:
    """Not even the room set aside can be used again: somebody else has it."""

    def fill() -> None:
        def refuse(self: Any, text: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        bench.monkeypatch.setattr(manifest_file.ManifestFile, "_replace", refuse)

    bench.senders.finish = fill  # type: ignore[method-assign]


def _disk_is_full_for_samples(bench: Bench) -> None:
    bench.senders.disk = DiskLoss(samples=250, from_ns=2_000_000_000)


def _disk_is_full_for_health(bench: Bench) -> None:
    bench.senders.disk = DiskLoss(lines=3)


def _no_answers(bench: Bench) -> None:
    bench.senders.is_drained = False


def _decided(bench: Bench) -> None:
    bench.senders.go = lambda _: bench.master._decide()  # type: ignore[method-assign]


def _losing(samples: int, *, taken_over: bool = True) -> Callable[[Bench], None]:
    def lose(bench: Bench) -> None:
        loss = Loss(worker="w1", at_ns=1, why="its process died", samples=samples, taken_over=taken_over)
        bench.senders.losses = (loss,)

    return lose


def _all_lost(bench: Bench) -> None:
    bench.senders.all_lost = True


def _breaks(what: str, error: Exception) -> Callable[[Bench], None]:
    def break_it(bench: Bench) -> None:
        bench.senders.faults[what] = error

    return break_it


def _a_worker_lacks_room(bench: Bench) -> None:
    lack = Failed(where="a user", error="60 users need 108 file descriptors", traceback="", exit_code=4)
    bench.senders.look = lambda: bench.master._fail("w1", lack)  # type: ignore[method-assign]
    bench.senders.is_drained = False


BUG = RuntimeError(f"Authorization: Bearer {SECRET}")
OUT = OSError(errno.EMFILE, "Too many open files")

ENDINGS = [
    pytest.param(_nothing, "completed", 0, "", id="nothing goes wrong"),
    pytest.param(_decided, "decided", 0, "", id="its watcher knows enough"),
    pytest.param(_no_answers, "overdue", 0, "", id="answers that never come"),
    pytest.param(_disk_is_full_at_the_end, "completed", 0, "", id="the disk is full at the manifest's end"),
    pytest.param(_disk_is_full_for_samples, "lost", 0, "samples from second 2 on are lost (250", id="full for samples"),
    pytest.param(_disk_is_full_for_health, "completed", 0, "3 lines of health", id="the disk is full for health"),
    pytest.param(_losing(0), "completed", 0, "", id="a worker is lost and nothing with it"),
    pytest.param(_losing(5), "lost", 0, "", id="a worker is lost, and too many samples"),
    pytest.param(_losing(0, taken_over=False), "lost", 0, "", id="a worker is lost, and nobody takes over"),
    pytest.param(_all_lost, "lost", 0, "", id="all workers are lost"),
    pytest.param(_breaks("ready", CredentialError("no key")), "failed", 3, "error: no key", id="no credential"),
    pytest.param(_breaks("order", BUG), "failed", 1, "error: master broke in the run", id="a bug before it begins"),
    pytest.param(_breaks("look", BUG), "failed", 1, "error: master broke in the run", id="a bug in the conductor"),
    pytest.param(_breaks("order", OUT), "failed", 4, "error: master: this process is out of", id="no room to begin"),
    pytest.param(_breaks("look", OUT), "lost", 4, "error: master: this process is out of", id="no room any more"),
    pytest.param(_a_worker_lacks_room, "lost", 4, "error: w1: 60 users need 108", id="a worker lacks room"),
    pytest.param(_breaks("finish", BUG), "failed", 1, "broke in closing: senders", id="a bug in closing"),
]


@pytest.mark.parametrize(("fault", "reason", "code", "line"), ENDINGS)
def test_a_run_ends_in_the_right_word(
    fault: Callable[[Bench], None],
    reason: str,
    code: int,
    line: str,
    bench: Bench,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And leaves a manifest that says so, nothing set aside, one line at most and no traceback on the terminal."""
    fault(bench)
    bench.run()
    assert bench.manifest["ended"]["reason"] == reason
    assert bench.environment.process_exit_code == code
    said = capsys.readouterr().err
    assert line in said
    assert said.count("error:") <= 1
    assert "Traceback" not in said
    assert SECRET not in said
    assert bench.senders.done.count("close") == 1
    assert [path.name for path in bench.out.glob("*/.*")] == []


@pytest.mark.parametrize("what", ["order", "ready", "go", "look", "cut", "finish"])
def test_a_traceback_is_kept_without_its_secret(what: str, bench: Bench) -> None:
    """Wherever it came from: in the run's folder."""
    bench.senders.faults[what] = BUG
    bench.run() if what != "cut" else _run_with_a_broken_cut(bench)
    (kept,) = bench.out.glob("*/errors/master.txt")
    text = kept.read_text()
    assert "RuntimeError: Authorization: Bearer ***" in text
    assert SECRET not in text
    assert bench.environment.process_exit_code == 1


def _run_with_a_broken_cut(bench: Bench) -> None:
    """Locust's hook is where that breaks: `Session` watches it."""
    cut = bench.master.cut

    def watched() -> None:
        with supervise.run("the end of the test"):
            cut()

    bench.monkeypatch.setattr(bench.master, "cut", watched)
    bench.run()


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "No space left"), (errno.EMFILE, "Too many open")])
def test_a_run_that_cannot_begin_says_so(
    number: int, words: str, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifest cannot be written: one line, exit 4, and Locust quits."""

    def refuse(self: Any, text: bytes) -> None:
        raise OSError(number, os.strerror(number))

    bench.monkeypatch.setattr(manifest_file.ManifestFile, "_replace", refuse)
    bench.run()
    assert bench.environment.process_exit_code == 4
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"manifest.json: {words}" in said
    assert bench.senders.done == ["cut", "finish", "finish", "close"]


@pytest.mark.parametrize(("reason", "duration_s"), [("signal", 60.0), ("stopped", None)])
def test_an_end_from_outside_keeps_its_word(reason: str, duration_s: float | None, bench: Bench) -> None:
    """Whoever ends the run says why."""
    assert bench.master.plan is not None
    bench.master.preparation.plan = dataclasses.replace(bench.master.plan, duration_s=duration_s)
    bench.senders.go = lambda _: bench.monkeypatch.setattr(  # type: ignore[method-assign]
        bench.senders, "look", lambda: bench.master.interrupt(reason)
    )
    bench.run()
    assert bench.manifest["ended"]["reason"] == reason


def test_the_statistics_of_the_next_run_are_left_alone(bench: Bench) -> None:
    """A run that is stopped within its warm-up takes its timer along."""
    resets: list[int] = []
    bench.runner.stats.reset_all = lambda: resets.append(1)
    assert bench.master.plan is not None
    bench.master.preparation.plan = dataclasses.replace(bench.master.plan, warm_up_s=0.3, duration_s=60.0)
    bench.senders.faults["look"] = BenchError("ends at once")
    bench.run()
    module.gevent.sleep(0.5)
    assert resets == []


OPTIONS = {"num_users": 20, "spawn_rate": 10, "arrival_rate": "1000"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(({"arrival_rate": rate}, "--arrival-rate: ") for rate in ("0", "-3", "nan", "inf", "1e9", "abc", "1;2")),
        *(({"num_users": users}, "--users: ") for users in ("0", "-1", "1e3", "1000000", "x")),
        *(({"spawn_rate": spawn_rate}, "spawn_rate is no number") for spawn_rate in ("0", "-1", "nan", "x", None)),
        ({"arrival_rate": ""}, "arrival_rate cannot be changed"),
        ({"arrival_rate": "80", "num_users": 99_999}, "users need"),
    ],
)
def test_a_load_that_cannot_be_leaves_the_run_as_it_is(options: dict[str, Any], said: str, bench: Bench) -> None:
    """One line says why; no sender learns of it, and nothing is recorded."""

    def refuse(users: int) -> None:
        raise RunInvalid(f"{users:,} users need more descriptors than there are")

    def change(_: ClockAnchor) -> None:
        bench.master._make_room = refuse if options.get("num_users") == 99_999 else lambda _: None
        with pytest.raises(BenchError, match=said) as refused:
            bench.master.change({**OPTIONS, **options})
        assert "\n" not in refused.value.describe()
        done.append("refused")

    done: list[str] = []
    bench.senders.go = change  # type: ignore[method-assign]
    bench.run()
    assert done == ["refused"]
    assert not [what for what in bench.senders.done if what.startswith("change")]
    assert bench.manifest["plan"]["changes"] == []


def test_before_its_clock_starts_and_after_its_end_a_run_takes_no_change(bench: Bench) -> None:
    with pytest.raises(UsageError, match="the run is being prepared"):
        bench.master.change({**OPTIONS, "arrival_rate": "80"})
    bench.run()
    with pytest.raises(UsageError, match="the run is over"):
        bench.master.change({**OPTIONS, "arrival_rate": "80"})


def test_a_change_is_recorded_while_the_run_goes_on(bench: Bench) -> None:
    """Senders, manifest, page and whoever looks at the plan know it; the same again is nothing, users are no rate."""
    bench.master.preparation.plan = dataclasses.replace(bench.master.plan, duration_s=60.0, users=20)  # type: ignore[type-var]
    changes: list[Any] = []

    def change() -> None:
        for options in ({"arrival_rate": "80"}, {"arrival_rate": "80.0"}, {"arrival_rate": "80", "num_users": "30"}):
            bench.master.change({**OPTIONS, **options})
        changes.extend(bench.manifest["plan"]["changes"])
        bench.senders.all_lost = True

    bench.senders.look = change  # type: ignore[method-assign]
    bench.run()
    assert [what for what in bench.senders.done if what.startswith("change")] == ["change to 80/s"]
    assert [(one["arrival_rate"], one["users"]) for one in changes] == [(80.0, 20), (80.0, 30)]
    assert bench.master.plan is not None
    assert [change.users for change in bench.master.plan.changes] == [20, 30]
    state = bench.master.board.as_json(NOTHING)
    assert (state["plan"]["arrival_rate"], state["plan"]["users"]) == (80.0, 30)
    by_hand = [event["text"] for event in state["events"] if event["mark"] == "change"]
    assert by_hand == ["by hand: 80/s, 20 users", "by hand: 80/s, 30 users"]
    assert schemas.load(next(bench.out.glob("*/manifest.json")), schemas.Manifest)["plan"]["changes"] == changes


def test_a_full_disk_keeps_no_change_from_the_senders(bench: Bench) -> None:
    """It is in the manifest once that can be written again."""
    bench.master.preparation.plan = dataclasses.replace(bench.master.plan, duration_s=60.0)  # type: ignore[type-var]
    write = manifest_file.ManifestFile.write

    def refuse(self: Any, value: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def change() -> None:
        bench.senders.all_lost = True
        bench.monkeypatch.setattr(manifest_file.ManifestFile, "write", refuse)
        bench.master.change({**OPTIONS, "arrival_rate": "80"})
        bench.monkeypatch.setattr(manifest_file.ManifestFile, "write", write)

    bench.senders.look = change  # type: ignore[method-assign]
    bench.run()
    assert "change to 80/s" in bench.senders.done
    assert [one["arrival_rate"] for one in bench.manifest["plan"]["changes"]] == [80.0]


@pytest.mark.parametrize("arrival_rate", [1000.0, None])
def test_the_clock_starts_when_all_users_are_there(bench: Bench, arrival_rate: float | None) -> None:
    """In the closed model too: a ramp would be measured as if it were the load."""
    bench.master.preparation.plan = dataclasses.replace(bench.master.plan, arrival_rate=arrival_rate)  # type: ignore[type-var]
    bench.runner.target_user_count = 3
    seen: list[int] = []
    go = bench.senders.go

    def watched(zero: ClockAnchor) -> None:
        seen.append(bench.runner.user_count)
        go(zero)

    def spawn() -> None:
        for _ in range(2):
            gevent.sleep(0.05)
            bench.runner.user_count += 1

    bench.senders.go = watched  # type: ignore[method-assign]
    gevent.spawn(spawn)
    bench.run()
    assert seen == [3]


class FakeShape:
    """A LoadTestShape that a locustfile has."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def reset_time(self) -> None:
        """Its own clock is not looked at."""

    def tick(self) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_stages_of_a_shape_are_kept_while_it_goes_on(bench: Bench) -> None:
    """A run that is killed has those that it had begun in its manifest."""
    authored = FakeShape((5, 5), (7, 5))
    shape = Shape(authored, user_classes=(), stop=StopIteration)
    bench.master._chosen_shape = lambda: shape
    bench.master.preparation.plan = dataclasses.replace(bench.master.plan, arrival_rate=None, duration_s=None)  # type: ignore[type-var]
    seen: list[list[int]] = []

    def as_locust_does() -> None:
        while len(shape.stages) < 2:
            authored.tick()
        most_users: list[int] = []
        while len(most_users) < 2:
            gevent.sleep(0.01)
            most_users = [stage["most_users"] for stage in bench.manifest["shape"]["stages"]]
        seen.append(most_users)
        assert "ended" not in bench.manifest
        bench.master.shape_has_ended()
        bench.runner.quit()

    asking = gevent.spawn_later(0.05, as_locust_does)
    bench.run()
    asking.get(timeout=60)
    assert seen == [[5, 7]]


@pytest.mark.parametrize(
    ("answers", "reason", "code", "line", "stages"),
    [
        ([(5, 5), (7, 5), None], "completed", 0, "", [5, 7]),
        ([None], "failed", 1, "error: the LoadTestShape FakeShape ended at its first tick", []),
        ([(5, 5), (-1, 5)], "failed", 1, "error: the LoadTestShape FakeShape returned -1 as its number of users", [5]),
        ([(5, 5), BUG], "failed", 1, "error: master broke in the LoadTestShape FakeShape: RuntimeError", [5]),
    ],
)
def test_a_shape_is_the_clock_and_the_end_of_a_run(
    answers: list[Any],
    reason: str,
    code: int,
    line: str,
    stages: list[int],
    bench: Bench,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Asked once all is ready; what it asked for is in the manifest, and what breaks in it is one line."""
    authored = FakeShape(*answers)
    shape = Shape(authored, user_classes=(), stop=StopIteration)
    bench.master._chosen_shape = lambda: shape
    bench.master.preparation.plan = dataclasses.replace(bench.master.plan, arrival_rate=None, duration_s=None)  # type: ignore[type-var]
    asked_before: list[int] = []
    bench.senders.go = lambda _: asked_before.append(len(shape.stages))  # type: ignore[method-assign]

    def as_locust_does() -> None:
        while authored.tick() is not None:
            gevent.sleep(0.01)
        bench.master.shape_has_ended()
        bench.runner.quit()

    assert authored.tick()[0] == 0
    asking = gevent.spawn_later(0.05, as_locust_does)
    bench.run()
    asking.kill()
    assert asked_before == [0]
    manifest = bench.manifest
    assert manifest["ended"]["reason"] == reason
    assert [stage["most_users"] for stage in manifest["shape"]["stages"]] == stages
    assert bench.environment.process_exit_code == code
    said = capsys.readouterr().err
    assert line in said
    assert said.count("error:") <= 1
    assert SECRET not in said
    assert schemas.load(next(bench.out.glob("*/manifest.json")), schemas.Manifest)
