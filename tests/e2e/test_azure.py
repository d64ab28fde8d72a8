"""The first ten minutes on a subscription: what is refused, what is waited for, what is said."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e.command import UNDRAWN, Done, bench, clean_environment
from tests.load.wire.scripted import OK, answering, scripted
from tests.target import certificates

SHORT = ("--arrival-rate", "20", "--duration", "1s", "--warm-up", "0", "--users", "5")


def run(*words: str, cwd: Path, **environment: str) -> Done:
    return bench("run", *SHORT, *words, cwd=cwd, **UNDRAWN, **environment)


def outcomes(done: Done, cwd: Path) -> dict[str, dict[str, int]]:
    """By variant. A busy machine makes a run INVALID, which is no matter here: what was answered is."""
    assert done.code in {0, 4}, done
    return {name: variant["outcomes"] for name, variant in done.summary_at(cwd)["variants"].items()}


@pytest.fixture
def faulty(emulator: dict[str, Any]):
    """Adds faults to the shared emulator, and takes them away afterwards."""

    def add(**words: Any) -> None:
        _admin(emulator, "POST", words)

    yield add
    _admin(emulator, "DELETE")


def _admin(emulator: dict[str, Any], method: str, body: Any = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    url = f"{emulator['admin']}/faults"
    with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method), timeout=120) as answer:
        assert answer.status == 200


def test_an_endpoint_that_cannot_answer_is_not_measured(faulty, emulator, workspace, tmp_path: Path) -> None:
    """Exit 4 before anything is sent, in one line (D11); a deployment that does not exist is exit 2 (D12)."""
    target = ["--endpoint", emulator["endpoints"]["key"], *workspace]
    unknown = run(*target, "--deployment", "green", cwd=tmp_path, **emulator["env"])
    assert (unknown.code, unknown.err.strip()) == (
        2,
        "error: endpoint 'ep-key' has no deployment 'green' (it has blue)",
    )
    faulty(do="state", to="Creating", endpoint="key")
    creating = run(*target, cwd=tmp_path, **emulator["env"])
    assert creating.code == 4, creating
    assert creating.err.strip() == "error: endpoint 'ep-key' is Creating (wait until it is Succeeded)"
    assert not list(tmp_path.glob("results/*"))


def test_the_least_role(faulty, emulator, workspace, tmp_path: Path) -> None:
    """Who may only get tokens measures an endpoint whose URI is given (D1)."""
    mode = "aml_token"
    for action in ("read", "deployments/read", "workspace/read"):
        faulty(do="deny", action=action)
    pair = ["--endpoint", emulator["endpoints"][mode], "--scoring-uri", emulator["scoring_uri"][mode]]
    done = run(*pair, "--auth-mode", mode, *workspace, cwd=tmp_path, **emulator["env"])
    assert outcomes(done, tmp_path) == {mode: {"ok": 20}}


def test_the_endpoints_own_mode_is_measured(faulty, emulator, workspace, tmp_path: Path) -> None:
    """Without --auth-mode (D16), and without the right to list deployments (D1). What ARM said is in the manifest."""
    faulty(do="deny", action="deployments/read")
    done = run("--endpoint", emulator["endpoints"]["aml_token"], *workspace, cwd=tmp_path, **emulator["env"])
    assert outcomes(done, tmp_path) == {"aml_token": {"ok": 20}}
    manifest = json.loads((tmp_path / done.run / "manifest.json").read_text())
    (described,) = manifest["target"]["endpoints"].values()
    assert (described["state"], described["deployments"]) == ("Succeeded", None)


def test_trouble_at_the_start_is_waited_for(faulty, emulator, workspace, tmp_path: Path) -> None:
    """ARM is busy when the run is to begin: said on the terminal, and measured when it is over (D2)."""
    faulty(do="arm", answer="429", retry_after=1)
    words = ["run", *SHORT, "--endpoint", emulator["endpoints"]["key"], *workspace, "--start-timeout", "10m"]
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        cwd=tmp_path,
        env=clean_environment(**emulator["env"], **UNDRAWN),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        _admin(emulator, "DELETE")
        out, err = process.communicate(timeout=300)
    assert said.startswith("waiting for Azure, up to 600 s: the control plane throttles"), said + err
    assert outcomes(Done(process.returncode, out, err), tmp_path) == {"key": {"ok": 20}}


def test_trouble_that_lasts_is_exit_3(faulty, emulator, workspace, tmp_path: Path) -> None:
    """With attempts and time; doctor and credentials likewise (D2)."""
    faulty(do="arm", answer="503")
    target = ["--endpoint", emulator["endpoints"]["key"], *workspace, "--start-timeout", "1s"]
    for command in (["run", *SHORT], ["doctor"], ["credentials"]):
        done = bench(*command, *target, cwd=tmp_path, **emulator["env"])
        assert done.code == 3, done
        last = done.err.strip().splitlines()[-1]
        assert last.startswith("error: the control plane failed (ARM answered 503 ServiceUnavailable)")
        assert re.search(r"; \d+ attempts? in \d+ s \(", last)


def test_another_cloud(tmp_path: Path) -> None:
    """Every scope is that cloud's: the emulator takes no other audience (D10). A typo is exit 2."""
    options = "--emulator-options=--cloud AzureUSGovernment"
    done = run("--emulator", options, "--cloud", "AzureUSGovernment", "--auth-mode", "aad_token", cwd=tmp_path)
    assert outcomes(done, tmp_path) == {"aad_token": {"ok": 20}}
    keys = bench("doctor", "--emulator", options, cwd=tmp_path, AZUREML_CURRENT_CLOUD="AzureUSGovernment")
    assert keys.code == 0, keys
    typo = bench("doctor", "--emulator", cwd=tmp_path, AZUREML_CURRENT_CLOUD="AzureUSGoverment")
    assert typo.code == 2
    assert "AZUREML_CURRENT_CLOUD: 'AzureUSGoverment' is no Azure cloud" in typo.err


def test_three_endpoints_of_two_kinds(emulator, workspace, tmp_path: Path) -> None:
    """More than two in one run, a serverless one among them, each with its own credential."""
    names = f"{emulator['endpoints']['key']},{emulator['endpoints']['aml_token']},serverless/ep-serverless"
    done = bench(
        "compare", *SHORT, "--users", "6", "--endpoint", names, *workspace, cwd=tmp_path, **emulator["env"], **UNDRAWN
    )
    found = outcomes(done, tmp_path)
    assert len(found) == 3
    assert all(kinds.keys() == {"ok"} for kinds in found.values()), found
    manifest = json.loads((tmp_path / done.run / "manifest.json").read_text())
    assert manifest["target"]["endpoints"].keys() == set(names.split(","))


def test_a_server_that_asks_for_a_certificate(tmp_path: Path) -> None:
    """mTLS in a whole run, also from a worker process; of the key nothing is left but its file's name."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine = certificates.issued(ca, tmp_path, "mine")
    pem = tmp_path / "server.pem"
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    certificates.asking(context, str(tmp_path / "ca.pem"))
    words = ("--ca-file", "ca.pem", "--client-cert", str(mine.certificate), "--client-key", str(mine.key))
    with scripted(answering(OK), tls=context) as server:
        done = run("--scoring-uri", server.uri, *words, "--processes", "2", cwd=tmp_path, BENCH_KEY="k")
        lacking = run("--scoring-uri", server.uri, *words[:2], cwd=tmp_path, BENCH_KEY="k")
    assert lacking.code == 4, lacking  # before the first request, unless a slow server says so only after it was sent
    assert re.search("asks for a client certificate and got none|100 % failed", lacking.err), lacking
    assert outcomes(done, tmp_path) == {"key": {"ok": 20}}
    folder = tmp_path / done.run
    secret = mine.key.read_bytes().splitlines()[1]
    for file in filter(Path.is_file, folder.rglob("*")):
        assert secret not in file.read_bytes(), file
        assert str(mine.key).encode() not in file.read_bytes(), file
