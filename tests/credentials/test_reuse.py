"""The manager in somebody else's locustfile: HttpUser and FastHttpUser, one credential, a key rotated on the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.credentials.emulated import Emulator

LOCUST_SCRIPT = """
import gevent, json, sys, urllib.request
from locust import FastHttpUser, HttpUser, constant, task
from locust.env import Environment

from bench.credentials import Agent, AgentSource, CredentialManager, RequestsAuth
from bench.endpoint import Workspace
from bench.errors import CredentialError

facts = json.loads(sys.argv[1])
agent = Agent(Workspace(**facts["workspace"]), env=facts["env"])
flights = []
manager = CredentialManager(AgentSource(agent, endpoint=facts["endpoints"]["key"]), on_flight=flights.append)


class WithRequests(HttpUser):
    host = facts["scoring_uri"]["key"].removesuffix("/score")
    wait_time = constant(0.01)

    def on_start(self):
        self.client.auth = RequestsAuth(manager)

    @task
    def score(self):
        self.client.post("/score", json={"data": [1]}, name="requests")


class WithFastHttp(FastHttpUser):
    host = WithRequests.host
    wait_time = constant(0.01)

    @task
    def score(self):
        lease = manager.lease()
        with self.client.post("/score", json={"data": [1]}, headers=lease.headers, name="fast",
                              catch_response=True) as answer:
            if answer.status_code == 401:
                manager.refused(lease, status=401)
                answer.success()  # the next request goes out with the newer lease


environment = Environment(user_classes=[WithRequests, WithFastHttp])
runner = environment.create_local_runner()
manager.lease()
runner.start(6, spawn_rate=100)
gevent.sleep(0.5)
fault = json.dumps({"do": "rotate_key", "key": "primary"}).encode()
urllib.request.urlopen(urllib.request.Request(facts["admin"] + "/faults", data=fault, method="POST")).read()
gevent.sleep(0.5)
runner.quit()
agent.close()
entries = environment.stats.entries.values()
print(json.dumps({
    "requests": {entry.name: entry.num_requests for entry in entries},
    "failures": sum(entry.num_failures for entry in entries),
    "flights": [flight["cause"] for flight in flights],
}))
"""


def test_http_users_share_one_credential(emulator: Emulator):
    """A rotation in mid-run costs both kinds of user no failed request, and one forced flight."""
    done = subprocess.run(
        [sys.executable, "-c", LOCUST_SCRIPT, json.dumps(emulator.facts)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert min(figures["requests"].values()) > 20
    assert figures["failures"] == 0
    assert figures["flights"] == ["initial", "refused"]


REQUESTS_SCRIPT = """
import http.server, json, threading
import locust
import requests
from bench.credentials import CredentialManager, RequestsAuth, StaticSource
from bench.credentials.lease import Grant, Validity
from bench.endpoint import AuthMode

seen, answers = [], []

class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        seen.append([self.path, self.headers.get("Authorization"), body])
        status, location = answers.pop(0)
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_GET = do_POST
    def log_message(self, *words):
        pass

first, other = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) for _ in range(2))
for server in (first, other):
    threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{first.server_port}/score"
elsewhere = f"http://localhost:{other.server_port}/elsewhere"

class Numbered:
    kind, auth_mode, n = "numbered", AuthMode.KEY, 0
    def fetch(self, refused):
        self.n += 1
        return Grant(secrets=(f"k{self.n}",), auth_mode=AuthMode.KEY, valid=Validity(issued_at=0))

def play(plan, **request):
    seen.clear()
    answers[:] = plan
    session, manager = requests.Session(), CredentialManager(Numbered())
    session.auth = RequestsAuth(manager)
    status = session.post(url, **request).status_code
    generation = 0 if manager.current is None else manager.current.generation
    return [status, list(seen), generation]

print(json.dumps({
    "replayed": play([(401, None), (200, None)], json={"a": 1}),
    "twice": play([(401, None), (401, None)], data=b"x"),
    "forbidden": play([(403, None)], data=b"x"),
    "stream": play([(401, None)], data=iter([b"x"])),
    "redirected": play([(302, elsewhere), (401, None)], data=b"x"),
}))
"""


@pytest.fixture(scope="module")
def played() -> dict:
    """What a server saw of sessions with RequestsAuth; in a process that Locust has patched."""
    done = subprocess.run(
        [sys.executable, "-c", REQUESTS_SCRIPT],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class TestRequestsAuth:
    def test_replays_once_with_the_newer_lease(self, played):
        """The same body again, another secret, and the caller sees the second answer only."""
        status, seen, _ = played["replayed"]
        assert (status, seen) == (200, [["/score", "Bearer k1", '{"a": 1}'], ["/score", "Bearer k2", '{"a": 1}']])

    def test_second_refusal_is_the_callers(self, played):
        """Never a third attempt."""
        status, seen, _ = played["twice"]
        assert (status, [secret for _, secret, _ in seen]) == (401, ["Bearer k1", "Bearer k2"])

    def test_403_is_the_callers(self, played):
        """Renewing would not help."""
        assert played["forbidden"] == [403, [["/score", "Bearer k1", "x"]], 1]

    def test_stream_is_not_replayed(self, played):
        """It cannot be sent twice; but the lease is renewed for the next request."""
        status, seen, generation = played["stream"]
        assert (status, len(seen), generation) == (401, 1, 2)

    def test_foreign_host_gets_no_secret(self, played):
        """After a redirect elsewhere neither the request nor a replay carries the credential."""
        status, seen, _ = played["redirected"]
        assert status == 401
        assert seen[1:] == [["/elsewhere", None, ""]]
