"""What was measured and the way there, out of a manifest."""

from __future__ import annotations

from typing import Any

from bench.clock import ClockAnchor
from bench.endpoint import AuthMode, Deployment, Endpoint
from bench.load.roles.manifest import manifest_of
from bench.plan.run_plan import RunPlan, Variant
from bench.report.target_facts import target_facts
from bench.rundir import RunDir

URI = "https://ep.x.inference.ml.azure.com/score"


def facts(manifest: dict[str, Any]) -> dict[str, str]:
    return {fact.name: fact.value for fact in target_facts(manifest)}


def test_all_that_arm_reported_and_the_proxy(tmp_path, monkeypatch):
    """As the manifest of a real run has it; who signs in to the proxy is not shown."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy:3128")
    monkeypatch.setenv("NO_PROXY", "x")
    endpoint = Endpoint(
        name="ep",
        scoring_uri=URI,
        auth_mode=AuthMode.KEY,
        traffic=(("blue", 100), ("green", 0)),
        mirror_traffic=(("green", 10),),
        state="Succeeded",
        network_access="Enabled",
        deployments=(
            Deployment(
                name="blue",
                state="Succeeded",
                instance_type="Standard_DS3_v2",
                instances=2,
                request_timeout_s=90.0,
                max_concurrent_requests=1,
            ),
        ),
    )
    variant = Variant(name="key", auth_mode=AuthMode.KEY, endpoint="ep", scoring_uri=URI, deployment="blue")
    plan = RunPlan(target="endpoint", variants=(variant,), client_cert="/home/me/mine.pem")
    made = manifest_of(RunDir(tmp_path), plan, anchor=ClockAnchor.now(), described={"ep": endpoint}, notes=["a note"])
    assert made["target"]["notes"] == ["a note"]
    assert facts(made) == {
        "scoring URI": URI,
        "credential": "key of endpoint ep",
        "pinned deployment": "blue",
        "proxy": "proxy:3128, which is signed in to (basic): its time is part of every figure",
        "client certificate": "mine.pem",
        "state": "Succeeded",
        "public network access": "Enabled",
        "traffic": "blue 100 %, green 0 %",
        "mirrored traffic": "green 10 %",
        "deployment blue": "Succeeded, 2 x Standard_DS3_v2, 1 at a time each, 90 s a request",
    }
    assert "hunter2" not in str(made)


def test_an_older_manifest_says_less():
    """Nothing is made up for what it does not have."""
    assert facts({}) == {}
    old = {"variants": {"key": {"auth_mode": "key", "endpoint": "", "scoring_uri": URI}}, "target": {"kind": "x"}}
    assert facts(old) == {"scoring URI": URI, "credential": "key, given by hand"}
