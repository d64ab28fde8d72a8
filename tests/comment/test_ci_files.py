"""The action, the template of steps and the second workflow: their shell steps run with a `bench` that takes notes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

CI = Path(__file__).parents[2] / "docs" / "ci"
ARGUMENTS = "--endpoint=e\n\n--gate=response_time.p99 < 250ms\n--gate=within(1s) >= 99%\n$(touch pwned)\n`touch pwned`"
WORDS = [line for line in ARGUMENTS.split("\n") if line]
STUB = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["NOTES"], "a") as notes:
    notes.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
print("7" if "gh" in sys.argv[0] else "")
raise SystemExit(int(os.environ.get("STUB_CODE", "0")))
"""


def steps(file: str) -> list[dict[str, Any]]:
    """Every step of a file, those under a condition too."""
    content = yaml.safe_load((CI / file).read_text())
    found = content["runs"]["steps"] if "runs" in content else content.get("steps")
    found = found or [step for job in content["jobs"].values() for step in job["steps"]]
    return [inner for step in found for inner in (next(iter(step.values())) if _conditional(step) else [step])]


def _conditional(step: dict[str, Any]) -> bool:
    return next(iter(step)).startswith("${{ if")


def script(file: str, name: str) -> tuple[str, set[str]]:
    """The shell text of the step of that name, and the variables it is given."""
    (step,) = [step for step in steps(file) if name in (step.get("name"), step.get("displayName"))]
    text = step.get("run") or step.get("bash") or step["inputs"]["inlineScript"]
    return str(text), set(step.get("env", {}))


def run(text: str, folder: Path, **variables: str) -> tuple[int, list[list[str]], str]:
    """As the agents do it: exit code, what was called, stdout."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("bench", "python", "gh"):
        (tools / name).write_text(STUB)
        (tools / name).chmod(0o755)
    notes = folder / "notes"
    notes.write_text("")
    environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "NOTES": str(notes), **variables}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", text],
        cwd=folder,
        env={"GITHUB_OUTPUT": str(folder / "output"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in notes.read_text().splitlines()], done.stdout


@pytest.mark.parametrize("file", ["action.yml", "azure-steps.yml"])
@pytest.mark.parametrize("history", ["", "perf"])
def test_each_line_is_one_argument_and_no_shell_s_command(file: str, history: str, tmp_path: Path) -> None:
    text, given = script(file, "Measure")
    assert given == {"COMMAND", "ARGUMENTS", "HISTORY"}
    code, called, _ = run(text, tmp_path, COMMAND="run", ARGUMENTS=ARGUMENTS, HISTORY=history)
    assert code == 0
    assert called == [["bench", "run", *WORDS, *([f"--history={history}"] if history else [])]]
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("code", ["0", "4", "10", "11"])
def test_the_action_ends_with_the_run_s_code_after_the_comment(code: str, tmp_path: Path) -> None:
    text, _ = script("action.yml", "Measure")
    done, _, _ = run(text, tmp_path, COMMAND="compare", ARGUMENTS="--emulator", HISTORY="", STUB_CODE=code)
    assert done == 0
    assert (tmp_path / "output").read_text() == f"code={code}\n"
    names = [step.get("name", step.get("uses", "")) for step in steps("action.yml")]
    assert names.index("Measure") < names.index("Comment") < names.index("Verdict") == len(names) - 1
    text, _ = script("action.yml", "Verdict")
    assert run(text, tmp_path, CODE=code)[0] == int(code)


def test_the_template_s_step_fails_as_the_run_does(tmp_path: Path) -> None:
    text, _ = script("azure-steps.yml", "Measure")
    assert run(text, tmp_path, COMMAND="run", ARGUMENTS="--emulator", HISTORY="", STUB_CODE="10")[0] == 10


@pytest.mark.parametrize(("file", "platform"), [("action.yml", "--github"), ("azure-steps.yml", "--azure")])
@pytest.mark.parametrize("stub_code", ["0", "1"])
def test_a_comment_that_cannot_be_written_changes_no_verdict(
    file: str, platform: str, stub_code: str, tmp_path: Path
) -> None:
    text, _ = script(file, "Comment")
    code, called, out = run(text, tmp_path, HISTORY="perf", STUB_CODE=stub_code)
    assert (code, called) == (0, [["bench", "comment", platform, "--history=perf"]])
    assert ("could not be written" in out) == (stub_code == "1")


def test_the_second_workflow_takes_the_number_from_github(tmp_path: Path) -> None:
    text, given = script("comment-from-forks.yml", "Comment")
    assert "GITHUB_TOKEN" in given
    code, called, _ = run(
        text, tmp_path, GITHUB_REPOSITORY="o/r", OWNER="fork", BRANCH="main$(touch pwned)", JOB="https://x"
    )
    assert code == 0
    assert called[0][:5] == ["gh", "api", "--method", "GET", "repos/o/r/pulls"]
    assert called[1] == ["bench", "comment", "--github", "--pull-request=7", "--link=measured by=https://x"]
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("file", ["action.yml", "azure-steps.yml", "comment-from-forks.yml"])
def test_it_installs_from_a_repository_and_no_expression_is_in_a_script(file: str, tmp_path: Path) -> None:
    """What GitHub or Azure puts into a script's text is run by the shell."""
    text, _ = script(file, "Install")
    code, called, _ = run(text.replace("$(Pipeline.Workspace)", "w"), tmp_path, SOURCE="/the/repository")
    assert code == 0
    assert called[0][1:4] == ["-m", "pip", "install"]
    assert called[0][-1] == "/the/repository" or "git+https://" in called[0][-1]
    for step in steps(file):
        written = str(step.get("run") or step.get("bash") or step.get("inputs", {}).get("inlineScript") or "")
        assert "${{" not in written


def test_a_fork_s_code_is_not_checked_out_where_comments_may_be_written() -> None:
    content = (CI / "comment-from-forks.yml").read_text()
    assert "actions/checkout" not in content
    assert "pull_request_target" not in content
