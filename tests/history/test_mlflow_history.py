"""A history in an MLflow experiment: refused, lost, lied to, left half-way; then as it should be."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from bench.endpoint import Workspace
from bench.errors import BenchError, RunInvalid, UsageError
from bench.history.mlflow import server as server_module
from bench.history.mlflow.address import Address, address
from bench.history.mlflow.experiment import MlflowExperiment
from bench.history.mlflow.messages import batch, creation, line_of
from bench.history.mlflow.server import TrackingServer
from bench.history.places import place_of
from bench.schemas.history import HistoryEntry
from tests import tinyproxy
from tests.history.test_ledger import entry
from tests.history.tracking_stub import SECRET, Stub, serving

RUN_ID = "20260101-000000-000-aaaa"
WORKSPACE = Workspace(subscription_id="s", resource_group="g", workspace_name="w")


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub()) as made:
        yield made


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with what goes along."""
    (tmp_path / "report.html").write_text("<!doctype html>")
    (tmp_path / "summary.json").write_text("{}")
    return tmp_path


def at(stub: Stub, name: str = "perf", **variables: str) -> MlflowExperiment:
    named = {"MLFLOW_TRACKING_URI": stub.url, "MLFLOW_TRACKING_TOKEN": SECRET, **variables}
    return MlflowExperiment(name, TrackingServer(address(named)), sleep=lambda _: None)


def always(status: int, body: bytes = b"", *, only: str = "") -> Callable[[str], tuple[int, bytes] | None]:
    return lambda what: (status, body) if not only or what == only else None


def tags_of(made: HistoryEntry) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in creation(made, "1", now_ms=0)["tags"]}


def held(stub: Stub, *entries: HistoryEntry, **changes: Any) -> None:
    stub.experiments["perf"] = {"experiment_id": "1", "lifecycle_stage": "active"}
    for made in entries:
        stub.add(**{"start_time": 0, **changes}, **tags_of(made))


# a server that is down, unwell, or says no


def test_no_server_is_one_line_before_anything_is_measured() -> None:
    with serving(Stub()) as gone:
        there = at(gone)
    with pytest.raises(BenchError, match="cannot be reached") as refused:
        there.check()
    assert refused.value.exit_code == 1
    assert "is MLFLOW_TRACKING_URI right" in refused.value.describe()


@pytest.mark.parametrize(
    ("status", "says"), [(401, "MLFLOW_TRACKING_TOKEN"), (403, "may not do that"), (404, "is it the address")]
)
def test_a_refusal_says_what_to_do_and_is_not_tried_again(status: int, says: str, stub: Stub, run: Path) -> None:
    """The server repeats the secret in its answer; nobody repeats it after it."""
    stub.instead = always(status, json.dumps({"error_code": SECRET, "message": SECRET}).encode())
    with pytest.raises(BenchError) as refused:
        at(stub).add(entry(), run=run)
    assert says in refused.value.describe()
    assert SECRET not in refused.value.describe()
    assert len(stub.asked) == 1


@pytest.mark.parametrize(("status", "says"), [(401, "tenant"), (403, "AzureML Data Scientist")])
def test_a_workspace_s_refusal_names_its_cure(status: int, says: str, stub: Stub) -> None:
    stub.instead = always(status)
    with pytest.raises(BenchError) as refused:
        in_workspace(stub, lambda *_: SECRET).check()
    assert says in refused.value.describe()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_unwell_is_asked_again_and_given_up(status: int, stub: Stub, run: Path) -> None:
    failing = [status, status]
    stub.instead = lambda what: (failing.pop(), b"<html>") if failing and what == "runs/log-batch" else None
    assert at(stub).add(entry(), run=run).new
    assert [made["info"]["status"] for made in stub.runs] == ["FINISHED"]
    stub.instead = always(status, only="runs/log-batch")
    with pytest.raises(BenchError, match=str(status)):
        at(stub).add(entry("20260102-000000-000-bbbb"), run=run)
    assert [made["info"]["status"] for made in stub.runs] == ["FINISHED", "FAILED"]
    assert at(stub).read() == ((entry(),), ())


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>sign in</html>",
        b"[]",
        b"null",
        b"7",
        b"[" * 100_000,
        b"\xff",
        b'{"experiment": {"experiment_id": "../x"}}',
    ],
)
def test_what_is_no_answer_of_mlflow_is_one_line(raw: bytes, stub: Stub, run: Path) -> None:
    stub.instead = always(200, raw)
    for asked in (lambda: at(stub).add(entry(), run=run), lambda: at(stub).read(), lambda: at(stub).check()):
        with pytest.raises(BenchError, match="what no MLflow answers"):
            asked()


def test_an_answer_without_end_is_left(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too much of it, and too slow: neither fills the memory nor keeps the job."""
    monkeypatch.setattr(server_module, "_MOST_BYTES", 1 << 16)
    stub.instead = always(200, b" " * (1 << 18))
    with pytest.raises(BenchError, match="more than"):
        at(stub).check()
    monkeypatch.setattr(server_module, "_LONGEST_S", 0.2)
    stub.drips, stub.instead = True, always(200, b" " * 2_000)
    with pytest.raises(BenchError, match="mid-answer"):
        at(stub).check()


def test_nobody_follows_a_redirect_with_the_secret(stub: Stub) -> None:
    with serving(Stub()) as thief:
        stub.redirect = f"{thief.url}/api/2.0/mlflow/experiments/get-by-name"
        with pytest.raises(BenchError, match="redirect"):
            at(stub).check()
        assert thief.asked == []


def test_a_list_that_never_ends_is_given_up(stub: Stub) -> None:
    """The same page again and again."""
    held(stub, entry())
    stub.instead = always(200, b'{"runs": [], "next_page_token": "more"}', only="runs/search")
    with pytest.raises(BenchError, match="end of its list"):
        at(stub).read()


# what is in the experiment


def test_other_people_s_runs_half_runs_and_damaged_ones_do_not_count(stub: Stub) -> None:
    """Only the damaged one is worth a word."""
    held(stub, entry())
    held(stub, entry("20260102-000000-000-bbbb"), status="RUNNING")
    held(stub, entry("20260103-000000-000-cccc"), status="FAILED")
    stub.add(**{"mlflow.user": "somebody"})
    cut = tags_of(entry("20260104-000000-000-dddd"))
    stub.add(**{**cut, "bench_line_1": cut["bench_line_1"][:250]})
    stub.add(**{key: value for key, value in cut.items() if key != "bench_line_pieces"})
    runs, problems = at(stub).read()
    assert runs == (entry(),)
    assert len(problems) == 2
    assert all("left out" in problem for problem in problems)


def test_what_a_terminal_would_obey_is_no_line(stub: Stub) -> None:
    bad = msgspec.json.encode(entry()).decode().replace("c0ffee", "##vso[task]")
    held(stub)
    stub.add(bench_run_id="x", bench_line_pieces="1", bench_line_1=bad)
    runs, problems = at(stub).read()
    assert runs == ()
    assert len(problems) == 1


def test_a_newer_version_is_refused(stub: Stub) -> None:
    held(stub, entry(schema_version=2))
    with pytest.raises(RunInvalid, match="schema_version 2"):
        at(stub).read()


def test_hundreds_of_runs_come_page_by_page_in_the_order_they_were_made(stub: Stub) -> None:
    """Whatever the server's clock says of them."""
    made = [entry(f"202601{day:02d}-{hour:02d}0000-000-aaaa") for day in range(1, 12) for hour in range(24)]
    for n, one in enumerate(made):
        held(stub, one, start_time=n * 7 % 100)
    runs, problems = at(stub).read()
    assert runs == tuple(made)
    assert problems == ()
    assert [what for what, *_ in stub.asked].count("runs/search") == 3


def test_no_such_experiment_and_a_deleted_one(stub: Stub, run: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        at(stub).read()
    at(stub).check()  # it is made with the first run
    stub.experiments["perf"] = {"experiment_id": "1", "lifecycle_stage": "deleted"}
    for asked in (at(stub).check, at(stub).read, lambda: at(stub).add(entry(), run=run)):
        with pytest.raises(UsageError, match="was deleted"):
            asked()


# adding


def test_a_job_that_is_killed_half_way_leaves_nothing_that_counts(stub: Stub, run: Path) -> None:
    """Its run stays for people to see; the next job adds it whole."""
    there = at(stub)

    def killed(*_: Any) -> None:
        raise SystemExit

    there._end = killed  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        there.add(entry(), run=run)
    assert [made["info"]["status"] for made in stub.runs] == ["RUNNING"]
    assert at(stub).read() == ((), ())
    assert at(stub).add(entry(), run=run).new
    assert at(stub).read() == ((entry(),), ())


def test_an_answer_that_was_lost_makes_no_second_run(stub: Stub, run: Path) -> None:
    """The run is finished, and the server says 502 all the same."""
    losses = [502]
    stub.after = lambda what: (losses.pop(), b"") if losses and what == "runs/update" else None
    assert at(stub).add(entry(), run=run).new
    assert len(stub.runs) == 1


def test_a_run_is_added_once(stub: Stub, run: Path) -> None:
    assert at(stub).add(entry(), run=run).new
    assert not at(stub).add(entry(), run=run).new
    assert len(stub.runs) == 1


def test_the_same_run_twice_with_other_figures_is_reported(stub: Stub) -> None:
    held(stub, entry(), start_time=1)
    held(stub, entry(trust="INVALID"), start_time=2)
    runs, problems = at(stub).read()
    assert [one.trust for one in runs] == ["TRUSTED"]
    assert "again, with other figures" in problems[0]


def test_two_jobs_at_once_are_one_run_for_who_reads(stub: Stub, run: Path) -> None:
    """Neither sees the other's; the experiment is made by one of them."""
    together = threading.Barrier(2)
    done: list[bool] = []

    def job() -> None:
        there = at(stub)
        made = there._made

        def at_once() -> str:
            together.wait(60)
            return made()

        there._made = at_once  # type: ignore[method-assign]
        done.append(there.add(entry(), run=run).new)

    jobs = [threading.Thread(target=job) for _ in range(2)]
    for one in jobs:
        one.start()
    for one in jobs:
        one.join(60)
    assert len(done) == 2
    assert len(stub.experiments) == 1
    assert at(stub).read() == ((entry(),), ())


@pytest.mark.parametrize("status", [413, 500, 507])
def test_a_disk_that_is_full_there_costs_the_report_and_not_the_line(status: int, stub: Stub, run: Path) -> None:
    stub.instead = always(status, only="artifacts")
    added = at(stub).add(entry(), run=run)
    assert added.new
    assert str(status) in added.missing
    assert at(stub).read() == ((entry(),), ())


@pytest.mark.parametrize(
    "artifacts", ["s3://bucket/", "file:///srv/", "mlflow-artifacts://thief:1/", "mlflow-artifacts:/../", ""]
)
def test_files_go_to_the_named_server_only(artifacts: str, stub: Stub, run: Path) -> None:
    stub.artifacts = artifacts
    added = at(stub).add(entry(), run=run)
    assert "takes no files" in added.missing
    assert "artifacts" not in [what for what, *_ in stub.asked]


def test_a_run_without_a_report_is_kept_and_it_is_said(stub: Stub, tmp_path: Path) -> None:
    added = at(stub).add(entry(), run=tmp_path)
    assert added.new
    assert "No such file" in added.missing


def test_report_summary_figures_and_commit_are_where_people_look(stub: Stub, run: Path) -> None:
    at(stub).add(entry(), run=run)
    (made,) = stub.runs
    assert {name.rsplit("/", 1)[-1] for name in stub.files} == {"report.html", "summary.json"}
    logged = made["logged"][0]
    assert {one["key"]: one["value"] for one in logged["metrics"]}["key/response_time.p50"] == 12.0
    assert {"key": "target", "value": "emulator"} in logged["params"]
    assert {"key": "mlflow.source.git.commit", "value": "c0ffee"} in made["data"]["tags"]
    assert made["info"]["start_time"] == 1_767_225_600_000


# the line


def test_a_line_comes_back_whole_whatever_is_in_it() -> None:
    """Blanks at the edge of a piece, letters beyond ASCII, many variants, more than one tag takes."""
    figures = entry().figures["key"]
    odd = entry(figures={f"blue : é {n}" + " " * 40: figures for n in range(50)}, branch=" main ")
    tags = tags_of(odd)
    assert len(tags) <= 20
    assert max(map(len, tags.values())) <= 5_000
    assert not any(value != value.strip() for key, value in tags.items() if key.startswith("bench_line"))
    assert msgspec.json.decode(line_of(tags), type=HistoryEntry) == odd


def test_a_line_that_no_tags_hold_is_refused() -> None:
    figures = entry().figures["key"]
    with pytest.raises(RunInvalid, match="too many for MLflow"):
        tags_of(entry(figures={f"v{n}": figures for n in range(1_000)}))


def test_names_that_mlflow_does_not_take_are_written_otherwise() -> None:
    made = batch(entry(figures={"a,b#2": {"error_rate": (0.1, None, None), "throughput": (None,) * 3}}), "r", now_ms=0)
    assert [one["key"] for one in made["metrics"]] == ["a_b_2/error_rate"]


# the way there


def in_workspace(stub: Stub, fetch: Callable[[Workspace, str], str]) -> MlflowExperiment:
    there = Address(base=f"{stub.url}/mlflow/v2.0/subscriptions/s", workspace=WORKSPACE, cloud="AzureCloud")
    return MlflowExperiment("perf", TrackingServer(there, fetch=fetch), sleep=lambda _: None)


def test_a_workspace_is_asked_below_its_own_path_with_a_token_that_is_fetched_once(stub: Stub, run: Path) -> None:
    fetched = []

    def fetch(workspace: Workspace, cloud: str) -> str:
        fetched.append((workspace, cloud))
        return SECRET

    stub.artifacts = "azureml://region.api.azureml.ms/mlflow/v2.0/"
    added = in_workspace(stub, fetch).add(entry(), run=run)
    assert added.new
    assert "takes no files" in added.missing
    assert fetched == [(WORKSPACE, "AzureCloud")]
    for what, path, headers in stub.asked:
        assert path == f"/mlflow/v2.0/subscriptions/s/api/2.0/mlflow/{what}"
        assert headers["Authorization"] == f"Bearer {SECRET}"


def test_a_token_that_ended_while_the_run_went_on_is_fetched_anew(stub: Stub, run: Path) -> None:
    """Once: where the new one is refused too, that is said."""
    fetched = iter(["old", "new", "newer", "newest"])
    there = in_workspace(stub, lambda *_: next(fetched))
    there.check()
    ended = ["Bearer old"]
    stub.instead = lambda _: (401, b"") if stub.asked[-1][2]["Authorization"] in ended else None
    assert there.add(entry(), run=run).new
    ended += ["Bearer new", "Bearer newer"]
    with pytest.raises(BenchError, match="401"):
        there.read()
    assert next(fetched) == "newest"


def test_a_certificate_is_looked_at_by_the_rule_of_all_others(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with serving(Stub(), tls=tls) as stub:
        with pytest.raises(BenchError, match="certificate that is not trusted") as refused:
            at(stub).check()
        assert "REQUESTS_CA_BUNDLE" in refused.value.describe()
        assert stub.asked == []
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert at(stub).add(entry(), run=run).new
        assert at(stub).read() == ((entry(),), ())


@pytest.mark.skipif(tinyproxy.BINARY is None, reason=tinyproxy.MISSING)
def test_a_server_is_reached_by_way_of_a_proxy_that_asks_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tunnel each; the secret is inside, and the proxy's own user is not for the server."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with serving(Stub(), tls=tls) as stub, tinyproxy.tinyproxy(tmp_path, user="me hunter2") as proxy:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("HTTPS_PROXY", proxy.uri)
        with pytest.raises(BenchError, match="cannot be reached"):
            at(stub).check()
        monkeypatch.setenv("HTTPS_PROXY", proxy.uri.replace("//", "//me:hunter2@"))
        at(stub).check()
        assert proxy.tunnels_to(int(stub.url.rsplit(":", 1)[1])) >= 1
        assert [headers.get("Proxy-Authorization") for *_, headers in stub.asked] == [None]


def test_a_proxy_sees_nothing_of_what_stays_here(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    at(stub).check()


AZURE = "mlflow/v1.0/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"


@pytest.mark.parametrize(
    ("uri", "secrets", "base", "cloud"),
    [
        ("https://mlflow.example/", {}, "https://mlflow.example", ""),
        ("https://mlflow.example/team/", {"TOKEN": "t"}, "https://mlflow.example/team", ""),
        ("http://mlflow.example:5000", {}, "http://mlflow.example:5000", ""),
        ("http://localhost:5000", {"USERNAME": "u", "PASSWORD": "p"}, "http://localhost:5000", ""),
        (f"azureml://eastus.api.azureml.ms/{AZURE}", {}, "https://eastus.api.azureml.ms/mlflow/v2.0/", "AzureCloud"),
        (f"azureml://x.workspace.a.api.ml.azure.us/{AZURE}", {}, "https://x.workspace.", "AzureUSGovernment"),
        (f"azureml://eastus.api.azureml.ms/{AZURE}", {"TOKEN": "t"}, "https://eastus.api.azureml.ms/mlflow/v2.0/", ""),
        (f"azureml://own.example/{AZURE}", {"TOKEN": "t"}, "https://own.example/mlflow/v2.0/", ""),
    ],
)
def test_addresses(uri: str, secrets: dict[str, str], base: str, cloud: str) -> None:
    found = address(
        {"MLFLOW_TRACKING_URI": uri, **{f"MLFLOW_TRACKING_{name}": value for name, value in secrets.items()}}
    )
    assert found.base.startswith(base)
    assert found.cloud == cloud
    assert (found.workspace == WORKSPACE) == uri.startswith("azureml")
    assert bool(found.authorization) == bool(secrets)


def test_a_workspace_s_base_is_where_azureml_mlflow_sends_its_requests() -> None:
    """By version 1.62 with MLflow 3, whose requests were caught before they were sent."""
    found = address({"MLFLOW_TRACKING_URI": f"azureml://eastus.api.azureml.ms/{AZURE}"})
    scope = "subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
    assert found.base == f"https://eastus.api.azureml.ms/mlflow/v2.0/{scope}"


@pytest.mark.parametrize(
    ("uri", "secrets"),
    [
        ("", {}),
        ("./mlruns", {}),
        ("sqlite:///m.db", {}),
        ("databricks", {}),
        ("https://", {}),
        ("https://a b", {}),
        ("https://mlflow.example:0", {}),
        ("https://[", {}),
        (f"https://me:{SECRET}@mlflow.example", {}),
        (f"https://mlflow.example/?token={SECRET}", {}),
        ("http://mlflow.example", {"TOKEN": SECRET}),
        ("http://127.0.0.1.evil.example", {"USERNAME": "u", "PASSWORD": SECRET}),
        ("https://mlflow.example", {"TOKEN": f"{SECRET}\r\nX: y"}),
        ("azureml://eastus.api.azureml.ms/", {}),
        (f"azureml://evil.example/{AZURE}", {}),
        (f"azureml://eastus.api.azureml.ms.evil.example/{AZURE}", {}),
        (f"azureml://evilapi.azureml.ms/{AZURE}", {}),
        (f"azureml://me@eastus.api.azureml.ms/{AZURE}", {}),
        (f"azureml://eastus.api.azureml.ms/{AZURE}/../..", {}),
    ],
)
def test_what_is_no_address_or_would_give_the_secret_away_is_refused(uri: str, secrets: dict[str, str]) -> None:
    variables = {f"MLFLOW_TRACKING_{name}": value for name, value in secrets.items()}
    with pytest.raises(UsageError) as refused:
        address({"MLFLOW_TRACKING_URI": uri, **variables})
    assert SECRET not in refused.value.describe()


def test_nothing_that_is_printed_holds_the_secret(stub: Stub) -> None:
    there = address({"MLFLOW_TRACKING_URI": stub.url, "MLFLOW_TRACKING_TOKEN": SECRET})
    assert SECRET not in f"{there!r} {TrackingServer(there)!r} {at(stub).shown}"


@pytest.mark.parametrize("name", ["", "a'b", "x" * 300, "a\nb", "##vso[x]"])
def test_a_name_that_no_experiment_has(name: str, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stub.url)
    with pytest.raises(UsageError, match="names no experiment"):
        place_of(f"mlflow:{name}")


def test_a_folder_may_be_called_what_it_likes(tmp_path: Path) -> None:
    place = place_of(f"{tmp_path}/mlflow:x")
    place.add(entry(), run=tmp_path)
    assert place.read() == ((entry(),), ())
