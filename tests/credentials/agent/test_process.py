"""The agent as a process: killed, hanging, forked, orphaned, beside a patched parent; and what it never lets out."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import gevent
import pytest

from bench.credentials import Agent, AgentSource, CredentialManager, FailureKind, Grant, PlainAgent
from bench.endpoint import AuthMode
from bench.errors import CredentialError
from bench.process import supervise
from bench.process.orphans import state_of
from tests.credentials.emulated import Emulator

REPOSITORY = Path(__file__).parents[3]


def pid_of(agent: Agent) -> int:
    return agent._running.process.pid


def script(emulator: Emulator, body: str) -> subprocess.Popen:
    """Python in a process of its own, where `agent_of()` makes an agent for the emulator with these `facts`."""
    prologue = f"""
import json, os, signal, sys, time
facts = json.loads({json.dumps(json.dumps(emulator.facts))})
def agent_of():
    from bench.credentials import Agent
    from bench.endpoint import Workspace
    return Agent(Workspace(**facts["workspace"]), env=facts["env"])
"""
    return subprocess.Popen([sys.executable, "-c", prologue + body], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


@pytest.fixture(scope="module")
def mortal_agent(shared_emulator: Emulator) -> Iterator[Agent]:
    """An agent that tests may kill."""
    agent = Agent(shared_emulator.workspace, env=shared_emulator.env)
    agent.ping()
    yield agent
    agent.close()


def wait_for_end(pid: int) -> bool:
    """Whether the process has ended, on a busy machine too; who inherits it may have nobody who asks for it."""
    for _ in range(6000):
        if state_of(pid) in ("", "Z"):
            return True
        gevent.sleep(0.01)
    return False


class TestDeath:
    def test_killed_in_mid_flight_costs_only_time(self, mortal_agent, emulator):
        """SIGKILL while it fetches: the same flight asks its successor, and its waiters are served."""
        records = []
        source = AgentSource(mortal_agent, endpoint=emulator.endpoint(AuthMode.AML_TOKEN))
        manager = CredentialManager(source, on_flight=records.append)
        emulator.fault(do="arm", answer="hang")
        users = [gevent.spawn(manager.lease) for _ in range(20)]
        gevent.sleep(0.1)
        killed = pid_of(mortal_agent)
        os.kill(killed, signal.SIGKILL)
        emulator.calm()
        gevent.joinall(users)
        assert {user.value.generation for user in users} == {1}
        assert [(record["attempts"], record["outcome"]) for record in records] == [(2, "ok")]
        assert pid_of(mortal_agent) != killed
        assert not Path(f"/proc/{killed}").exists(), "a zombie was left"

    def test_killed_in_mid_flight_in_a_patched_process(self, emulator):
        """There letting go of the dead process gives way to those who waited: they must not ask it again."""
        emulator.fault(do="arm", answer="slow", delay="500ms")
        process = script(
            emulator,
            """
import gevent.monkey
gevent.monkey.patch_all()
import gevent, os, signal
from bench.credentials import AgentSource, CredentialManager
agent, records = agent_of(), []
agent.ping()
manager = CredentialManager(AgentSource(agent, endpoint="ep-key"), on_flight=records.append)
user = gevent.spawn(manager.lease)
gevent.sleep(0.2)
os.kill(agent._running.process.pid, signal.SIGKILL)
user.join()
print(records[0]["attempts"], records[0]["outcome"])
""",
        )
        assert process.communicate(timeout=300)[0].split() == ["2", "ok"]

    def test_successor_is_warm_before_it_is_asked(self, mortal_agent):
        """An agent that dies between two flights is replaced at once, not at the next question."""
        first = mortal_agent._running
        os.kill(pid_of(mortal_agent), signal.SIGKILL)
        while mortal_agent._running is first:
            gevent.sleep(0.01)
        assert mortal_agent._running.ready.wait(timeout=300)
        assert mortal_agent._running.was_ready

    def test_close_ends_it(self, mortal_agent):
        """No process is left, and no successor comes."""
        pid = pid_of(mortal_agent)
        mortal_agent.close()
        gevent.sleep(0.05)
        assert not Path(f"/proc/{pid}").exists()
        assert mortal_agent._running is None

    def test_one_that_cannot_start_is_a_clear_error(self, emulator, monkeypatch):
        """No interpreter: said at once. One that ends at once: the agent died, with a hint how to see why."""
        source = AgentSource(Agent(emulator.workspace), endpoint="ep-key")
        monkeypatch.setattr(sys, "executable", "/nonexistent/python")
        with pytest.raises(CredentialError, match="cannot be started: No such file"):
            CredentialManager(source).lease()
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(CredentialError, match="agent died") as caught:
            CredentialManager(source).lease()
        assert "import azure.ai.ml" in caught.value.hint

    @pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE])
    def test_one_that_the_machine_has_no_room_for(self, number, emulator, monkeypatch):
        """Exit code 4, at once and not after a minute of asking; nothing is left open, so the next one may start."""

        def refuse(*_, **__):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("bench.credentials.agent.process._spawn", refuse)
        before = len(list(Path("/proc/self/fd").iterdir()))
        with closing(Agent(emulator.workspace)) as agent:
            failure = agent.described("ep-key")
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        assert (failure.kind, failure.may_pass, failure.error().exit_code) == (FailureKind.NO_ROOM, False, 4)
        assert failure.message.startswith("the credential agent cannot be started: ")

    def test_one_that_cannot_be_replaced(self, mortal_agent, monkeypatch):
        """There is no room for a successor of one that died in mid-run: the run goes on, and the next flight tries."""
        mortal_agent.ping()
        broken = []
        supervise.report_to(broken.append)
        try:
            with monkeypatch.context() as full:
                full.setattr("bench.credentials.agent.process._spawn", mock.Mock(side_effect=OSError(errno.EAGAIN, "")))
                first = mortal_agent._running
                os.kill(pid_of(mortal_agent), signal.SIGKILL)
                first.reader.join()
            assert broken == []
            mortal_agent.ping()
        finally:
            supervise.report_to(None)

    def test_ends_with_its_parent(self, emulator):
        """The parent is killed and can tell it nothing, and a fork of the parent still holds the pipe's other end."""
        parent = script(
            emulator,
            """
import gevent
agent = agent_of()
gevent.spawn(agent.ping)
gevent.sleep(0.1)
print(agent._running.process.pid, flush=True)
if os.fork() == 0:
    time.sleep(30)
    os._exit(0)
print("forked", flush=True)
time.sleep(30)
""",
        )
        with parent:
            pid = int(parent.stdout.readline())
            parent.stdout.readline()
            children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
            parent.kill()
            assert wait_for_end(pid)
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)


class TestHang:
    def test_one_that_exceeds_its_deadline_is_killed_and_replaced(self, emulator):
        """A fetch that hangs: killed after the deadline, and the next fetch has a new process."""
        name = emulator.endpoint(AuthMode.KEY)
        with closing(Agent(emulator.workspace, env=emulator.env, call_deadline_s=300)) as agent:
            agent.ping()
            hanging = pid_of(agent)
            emulator.fault(do="arm", answer="hang")
            agent._call_deadline_s = 0.3
            failure = agent.fetch(name, AuthMode.KEY)
            assert failure.kind is FailureKind.TIMED_OUT
            assert "killed" in failure.message
            emulator.calm()
            agent._call_deadline_s = 300
            while agent._running.process.pid == hanging:
                gevent.sleep(0.01)
            assert isinstance(agent.fetch(name, AuthMode.KEY), Grant)

    def test_hanging_fetch_holds_up_no_other(self, agent, emulator):
        """While the token of one endpoint hangs, the key of another comes."""
        emulator.fault(do="arm", answer="hang", operation="token")
        hanging = gevent.spawn(agent.fetch, emulator.endpoint(AuthMode.AML_TOKEN), AuthMode.AML_TOKEN)
        gevent.sleep(0.05)
        assert isinstance(agent.fetch(emulator.endpoint(AuthMode.KEY), AuthMode.KEY), Grant)
        assert not hanging.ready()
        emulator.calm()
        hanging.join()

    def test_without_gevent_too(self, emulator):
        """The plain client kills a hanging agent in the same way."""
        with closing(PlainAgent(emulator.workspace, env=emulator.env, call_deadline_s=300)) as agent:
            agent.ping()
            pid = agent._process.pid
            emulator.fault(do="arm", answer="hang")
            agent._call_deadline_s = 0.3
            assert agent.fetch(emulator.endpoint(AuthMode.KEY), AuthMode.KEY).kind is FailureKind.TIMED_OUT
            assert not Path(f"/proc/{pid}").exists()


class TestParents:
    def test_patched_parent_and_its_fork(self, emulator):
        """Beside Locust, which patches everything: all modes are fetched, and azure stays out of the process.

        A fork that inherits the running agent starts its own; the parent's goes on undisturbed.
        """
        parent = script(
            emulator,
            """
import locust, gevent, gevent.os
from bench.credentials import AgentSource, CredentialManager
from bench.endpoint import AuthMode
agent = agent_of()
managers = [CredentialManager(AgentSource(agent, endpoint=name)) for name in facts["endpoints"].values()]
users = [gevent.spawn(manager.lease) for manager in managers for _ in range(50)]
gevent.joinall(users)
mine = agent._running.process.pid
reading, writing = os.pipe()
if os.fork() == 0:
    gevent.sleep(0.3)  # its hub runs while the parent's replies come in
    grant = agent.fetch(facts["endpoints"]["key"], AuthMode.KEY)
    os.write(writing, json.dumps([agent._running.process.pid, len(grant.secrets)]).encode())
    agent.close()
    os._exit(0)
for _ in range(50):
    again = agent.fetch(facts["endpoints"]["aml_token"], None).auth_mode
childs, keys = json.loads(gevent.os.tp_read(reading, 1000))
print(json.dumps({"modes": sorted({user.value.auth_mode for user in users}), "azure": "azure" in sys.modules,
                  "shared": childs == mine, "keys": keys, "again": again, "same": agent._running.process.pid == mine}))
agent.close()
""",
        )
        try:
            found = json.loads(parent.communicate(timeout=300)[0])
        finally:
            parent.kill()
        assert found["modes"] == ["aad_token", "aml_token", "key"]
        assert found["azure"] is False
        assert (found["shared"], found["keys"], found["again"], found["same"]) == (False, 2, "aml_token", True)


class TestSecrecy:
    def test_canaries_stay_inside(self, emulator, capfd, monkeypatch):
        """Every mode, through fetches and failures: no secret in repr, errors, tracebacks, records, output or argv.

        The harness's own secrets do not reach the agent's environment either.
        """
        for name in (
            "BENCH_KEY",
            "BENCH_TOKEN",
            "BENCH_RELAY_KEY",
            "MLFLOW_TRACKING_TOKEN",
            "MLFLOW_TRACKING_PASSWORD",
        ):
            monkeypatch.setenv(name, f"canary-{name}")
        monkeypatch.setenv("AZURE_LOG_LEVEL", "debug")
        secrets, seen, records = set(), [], []
        with closing(Agent(emulator.workspace, env=emulator.env)) as agent:
            for mode in AuthMode:
                source = AgentSource(agent, endpoint=emulator.endpoint(mode), auth_mode=mode)
                manager = CredentialManager(source, variant=mode.value, on_flight=records.append)
                lease = manager.lease()
                secrets |= set(agent.fetch(emulator.endpoint(mode), mode).secrets) | {lease.secret}
                faults = (
                    {"do": "arm", "answer": "malformed", "operation": "token"},
                    {"do": "arm", "answer": "malformed", "operation": "listkeys"},
                    {"do": "arm", "answer": "missing_times"},
                    {"do": "arm", "answer": "403"},
                    {"do": "identity", "answer": "malformed"},
                    {"do": "identity", "answer": "401"},
                )
                for fault in faults:
                    emulator.fault(**fault)
                    try:
                        lease = manager.refused(lease, status=401, timeout_s=1)
                        secrets.add(lease.secret)
                    except CredentialError:
                        seen.append(traceback.format_exc())
                    emulator.calm()
                seen += [repr(lease), str(lease), repr(manager.snapshot()), repr(vars(manager))]
            process = Path(f"/proc/{pid_of(agent)}")
            environment = (process / "environ").read_text()
            seen += [environment, (process / "cmdline").read_text(), json.dumps(records)]
        seen += list(capfd.readouterr())
        text = "\n".join(seen)
        assert len(secrets) > 6
        assert [secret for secret in secrets if secret in text] == []
        assert "canary-BENCH" not in environment

    def test_agent_writes_no_core_file(self, agent):
        """Its memory holds secrets: the limit is zero."""
        limits = Path(f"/proc/{pid_of(agent)}/limits").read_text()
        (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"]
