"""The workflow files in docs/ci do what they say: their shell steps run here against a `bench` that takes notes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.gates.expression import parse
from bench.plan.run_plan import parse_duration_s

CI = Path(__file__).parents[2] / "docs" / "ci"
FILES = ("github-actions.yml", "azure-pipelines.yml")
SAME_JOB = ("same-job.yml", "azure-same-job.yml")

STUB = f"""#!{sys.executable}
import json, os, pathlib, sys
with open(os.environ["BENCH_NOTES"], "a") as notes:
    notes.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] in ("run", "compare"):
    for run in ("20260101-000000-000-aaaa", "20260102-000000-000-bbbb"):
        folder = pathlib.Path("results") / run
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{{}}")
    raise SystemExit(int(os.environ.get("BENCH_CODE", "0")))
"""


def steps(file: str) -> list[dict[str, Any]]:
    """The steps of the file's one job."""
    workflow = yaml.safe_load((CI / file).read_text())
    jobs = workflow["jobs"]
    (job,) = jobs.values() if isinstance(jobs, dict) else jobs
    found: list[dict[str, Any]] = job["steps"]
    return found


def script(step: dict[str, Any]) -> str:
    """The shell text of a step, empty for a step that is an action or another task."""
    return str(step.get("run") or step.get("bash") or step.get("inputs", {}).get("inlineScript") or "")


def scripts(file: str) -> list[str]:
    return [text for text in map(script, steps(file)) if text]


def run(text: str, folder: Path, *, code: int = 0) -> tuple[int, list[list[str]]]:
    """Run a step the way the agents do (`bash -e`), with the stub first on PATH: (exit code, calls of bench)."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "bench").write_text(STUB)
    (tools / "bench").chmod(0o755)
    notes = folder / "notes"
    notes.write_text("")
    work = folder / "work"
    work.mkdir(exist_ok=True)
    environ = os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "BENCH_NOTES": str(notes),
        "BENCH_CODE": str(code),
        "ENDPOINT": "my endpoint",
        "LIVE": "blue",
        "CANDIDATE": "green",
    }
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", text], cwd=work, env=environ, check=False)
    return done.returncode, [json.loads(line) for line in notes.read_text().splitlines()]


def judging(file: str) -> str:
    (found,) = (text for text in scripts(file) if "bench run" in text)
    return found


def options(call: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(call) if option == name]


@pytest.mark.parametrize("file", FILES)
def test_every_shell_step_is_well_formed(file: str) -> None:
    """`bash -n` reads each without complaint."""
    assert scripts(file)
    for text in scripts(file):
        assert subprocess.run(["bash", "-n", "-c", text], check=False).returncode == 0, text


@pytest.mark.parametrize("file", FILES)
def test_the_run_is_gated_by_expressions_that_parse(file: str, tmp_path: Path) -> None:
    """The options arrive in one piece each, spaces and all, and mean something."""
    code, calls = run(judging(file), tmp_path)
    (call,) = (each for each in calls if each[0] == "run")
    assert code == 0
    assert options(call, "--endpoint") == ["my endpoint"]
    assert [parse_duration_s(each) for each in options(call, "--duration") + options(call, "--extend-up-to")] == [
        120.0,
        300.0,
    ]
    gates = [parse(each) for each in options(call, "--gate")]
    assert len(gates) == 4
    assert not any(gate.bound.on_baseline for gate in gates)
    assert options(call, "--baseline") == []


@pytest.mark.parametrize("file", FILES)
def test_a_committed_baseline_is_held_against_the_run(file: str, tmp_path: Path) -> None:
    """From the day results/baselines/main.json is there, one more gate compares with it."""
    (tmp_path / "work" / "results" / "baselines").mkdir(parents=True)
    (tmp_path / "work" / "results" / "baselines" / "main.json").write_text("{}")
    _, calls = run(judging(file), tmp_path)
    (call,) = (each for each in calls if each[0] == "run")
    assert options(call, "--baseline") == ["main"]
    assert [str(parse(each)) for each in options(call, "--gate")][-1] == "response_time.p99 <= baseline + 10%"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("code", [2, 3, 4, 10, 11])
def test_a_run_that_does_not_pass_fails_the_step(file: str, code: int, tmp_path: Path) -> None:
    """No exit code of the tool is swallowed by the shell around it."""
    assert run(judging(file), tmp_path, code=code)[0] == code


@pytest.mark.parametrize("file", FILES)
def test_the_newest_run_is_what_becomes_a_baseline(file: str, tmp_path: Path) -> None:
    """Older runs and the baselines themselves lie in the same folder."""
    (tmp_path / "work" / "results" / "baselines").mkdir(parents=True)
    run(judging(file), tmp_path)
    (saving,) = (text for text in scripts(file) if "bench baseline" in text)
    code, calls = run(saving, tmp_path)
    assert code == 0
    assert calls == [["baseline", "save", "results/20260102-000000-000-bbbb", "--as", "main"]]


@pytest.mark.parametrize("file", FILES)
def test_report_and_verdict_are_kept_when_a_gate_fails(file: str) -> None:
    """Which is when they are wanted: the steps that publish do not ask for success."""
    kept = [step for step in steps(file) if "junit.xml" in str(step) or "report.html" in str(step)]
    kept += [step for step in steps(file) if step.get("publish") == "results"]
    assert kept
    for step in kept:
        assert (step.get("if") or step.get("condition")) in {"always()", "succeededOrFailed()"}


@pytest.mark.parametrize("file", FILES)
def test_no_workflow_carries_a_secret(file: str) -> None:
    """Both sign in by federation; neither asks for a stored secret."""
    text = (CI / file).read_text().lower()
    for word in ("secrets.", "client_secret", "client-secret", "bench_key", "bench_token", "password"):
        assert word not in text


def test_bash_is_what_the_steps_are_tested_with() -> None:
    """Without bash the tests above would prove nothing."""
    assert shutil.which("bash")


@pytest.mark.parametrize("file", SAME_JOB)
@pytest.mark.parametrize("code", [0, 4, 10, 11])
def test_main_and_pull_request_meet_in_one_job_and_the_candidate_goes_whatever_the_verdict(
    file: str, code: int, tmp_path: Path
) -> None:
    """Live first, candidate second, several runs; the gates decide alone, and no fork asks for a sign-in."""
    (comparing,) = (text for text in scripts(file) if "bench compare" in text)
    result, calls = run(comparing, tmp_path, code=code)
    assert result == code
    (call,) = calls
    assert options(call, "--deployment") == ["blue,green"]
    assert int(options(call, "--runs")[0]) >= 5
    assert [parse(each).variant for each in options(call, "--gate")] == ["", "", "green", ""]
    (deleting,) = (step for step in steps(file) if "deployment delete" in script(step))
    assert (deleting.get("if") or deleting.get("condition")) == "always()"
    assert scripts(file).index(comparing) < scripts(file).index(script(deleting))
    jobs = yaml.safe_load((CI / file).read_text())["jobs"]
    (job,) = jobs.values() if isinstance(jobs, dict) else jobs
    forks = {"same-job.yml": "head.repo.full_name == github.repository", "azure-same-job.yml": "IsFork'], 'True'"}
    assert forks[file] in str(job.get("if") or job.get("condition"))
    assert "secrets." not in (CI / file).read_text()


def test_both_platforms_compare_by_the_same_words() -> None:
    """One is a copy of the other: what is mended in one is mended in both."""
    (here, there) = ([text for text in scripts(file) if "pip install" not in text] for file in SAME_JOB)
    assert [text.removeprefix("set -e\n") for text in there] == here


@pytest.mark.parametrize("file", sorted(path.name for path in CI.glob("*.yml")))
def test_no_file_installs_by_the_name_of_a_package_that_is_published_nowhere(file: str) -> None:
    """Whoever takes the name first would run in everybody's pipeline."""
    installing = [line for line in (CI / file).read_text().splitlines() if "pip install" in line]
    assert installing
    for line in installing:
        assert "@ git+https://github.com/OWNER/THIS-REPOSITORY@" in line or "$SOURCE" in line, line


@pytest.mark.parametrize("code", [0, 4, 10, 11])
def test_a_candidate_is_promoted_by_its_gates_alone(code: int, tmp_path: Path) -> None:
    """Live first, candidate second; whatever is no pass ends the job before any traffic is shifted."""
    file = "promotion-gate.yml"
    (comparing,) = (text for text in scripts(file) if "bench compare" in text)
    (shifting,) = (text for text in scripts(file) if "--traffic" in text)
    assert scripts(file).index(comparing) < scripts(file).index(shifting)
    result, calls = run(comparing, tmp_path, code=code)
    assert result == code
    (call,) = calls
    assert options(call, "--deployment") == ["blue,green"]
    gates = [parse(each) for each in options(call, "--gate")]
    assert [gate.variant for gate in gates] == ["", "", "green", ""]
    assert "secrets." not in (CI / file).read_text()
