"""What is written for GitHub Actions and Azure Pipelines, and that nothing is written anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.gates import azure_pipelines, github
from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.gates.publish import publish
from tests.gates.summaries import summary, variant

GATES = [
    parse("response_time.p99 < 110ms", name="latency"),
    parse("auth_failure_rate == 0", name="auth: must, work"),
    parse("response_time.p99 < 98ms"),
    parse("server_time.p99 < 1ms"),
]
RUN = summary(key=variant(outcomes={"auth_failure": 20}))
RESULTS = evaluate(GATES, RUN)


def test_the_step_summary_is_a_table_that_starts_with_how_it_went() -> None:
    """One row a gate with figure, interval and threshold; sentences only for what did not pass."""
    text = github.markdown(RESULTS, RUN)
    assert text.startswith(
        "### 1 of 4 gates passed, 1 failed, 1 inconclusive, 1 without data · run 20260101-000000-000-beef TRUSTED\n"
    )
    assert "| `response_time.p99 < 110ms` (key) | ✅ pass | 100 ms | [95, 105] ms | 110 ms |" in text
    assert "| `server_time.p99 < 1ms` (key) | ⚠️ no data |  |  |  |" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {6}
    assert [line[:30] for line in text.splitlines() if line.startswith("- ")] == [
        "- auth_failure_rate of key is ",
        "- response_time.p99 of key is ",
        "- server_time.p99 of key has n",
    ]


def test_annotations_are_errors_for_failed_and_warnings_for_undecided_gates() -> None:
    """Escaped as the workflow-command protocol wants it: % in the text, and : and , in the title."""
    error, straddling, empty = github.issue_lines(RESULTS)
    assert error.startswith("::error title=Gate FAIL%3A auth%3A must%2C work::auth_failure_rate of key is 0.2 %25 [")
    assert straddling.startswith("::warning title=Gate INCONCLUSIVE%3A response_time.p99 < 98ms::")
    assert empty.startswith("::warning title=Gate NO_DATA%3A server_time.p99 < 1ms::")


def test_azure_pipelines_gets_issues_on_one_line_each() -> None:
    """A line break in a message would end the command."""
    named = evaluate([parse("auth_failure_rate == 0", name="two\nlines")], RUN)
    (line,) = azure_pipelines.issue_lines(named)
    assert line.startswith("##vso[task.logissue type=error]Gate FAIL: two lines: auth_failure_rate of key is 0.2 % [")
    assert [each.split("]")[0] for each in azure_pipelines.issue_lines(RESULTS)] == [
        "##vso[task.logissue type=error",
        "##vso[task.logissue type=warning",
        "##vso[task.logissue type=warning",
    ]


def test_github_gets_annotations_and_the_table_after_what_is_there(tmp_path: Path) -> None:
    """Earlier steps may have written to the same summary."""
    step = tmp_path / "step.md"
    step.write_text("before\n")
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(step)}
    lines = publish(RESULTS, summary=RUN, environ=environ, markdown_file=tmp_path / "summary.md")
    assert lines == github.issue_lines(RESULTS)
    assert step.read_text() == f"before\n{github.markdown(RESULTS, RUN)}\n"


def test_azure_pipelines_is_shown_the_summary_that_was_written(tmp_path: Path) -> None:
    """By its absolute path, and only if it is there."""
    page = tmp_path / "summary.md"
    environ = {"TF_BUILD": "True"}
    assert publish(RESULTS, summary=RUN, environ=environ, markdown_file=page) == azure_pipelines.issue_lines(RESULTS)
    page.write_text("# run\n")
    assert publish(RESULTS, summary=RUN, environ=environ, markdown_file=page)[-1] == f"##vso[task.uploadsummary]{page}"


def test_elsewhere_nothing_is_printed_or_written(tmp_path: Path) -> None:
    """A terminal has no use for workflow commands."""
    assert publish(RESULTS, summary=RUN, environ={"CI": "1"}, markdown_file=tmp_path / "summary.md") == []
    assert list(tmp_path.iterdir()) == []


def test_a_step_summary_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Not lost in silence, and no traceback."""
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "nowhere" / "step.md")}
    with pytest.raises(UsageError, match="cannot write the step summary"):
        publish(RESULTS, summary=RUN, environ=environ, markdown_file=tmp_path / "summary.md")
