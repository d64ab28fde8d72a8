"""A whole run against the second control plane."""

from pathlib import Path

from tests.azure_stub.plane import PLACE, serving
from tests.e2e.command import UNDRAWN, bench


def test_bench_run(tmp_path: Path) -> None:
    """Its own mode is measured (D16), every request with the token that the stub granted."""
    with serving() as stub:
        stub.mode = "AMLToken"
        done = bench(
            *("run", "--endpoint", "ep", "--subscription-id", PLACE.subscription_id, "--users", "2"),
            *("--resource-group", PLACE.resource_group, "--workspace", PLACE.workspace_name),
            *("--arrival-rate", "10", "--duration", "1s", "--warm-up", "0"),
            cwd=tmp_path,
            **stub.env,
            **UNDRAWN,
        )
        assert done.code in {0, 4}, done  # a busy machine makes it INVALID, which is no matter here
        assert done.summary_at(tmp_path)["variants"]["aml_token"]["outcomes"] == {"ok": 10}
        assert set(stub.scored_with) == {"Bearer scoring-token"}
        operations = [one for one in stub.asked if one != "identity"]
        assert operations[:2] == ["GET endpoint", "GET deployments"]
        assert operations[-1] == "POST token"
