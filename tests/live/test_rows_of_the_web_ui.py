"""The web UI's mistakes of old, F1 to F9, and the tests that keep each of them from coming back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "F1": (
        "a browser sent the secret, and a file of this machine, wherever it liked",
        (
            "live/test_bound_target.py::test_the_secret_and_a_file_go_nowhere_else",
            "live/test_bound_target.py::test_an_attacker_gets_nothing",
            "live/test_started_from_outside.py::test_only_this_machine_reaches_it",
        ),
    ),
    "F2": ("a browser overwrote a file", ("live/test_bound_target.py::test_no_file_is_overwritten",)),
    "F3": (
        "what was wrong with the form stood elsewhere",
        (
            "e2e/test_web_ui.py::test_a_run_from_the_form",
            "e2e/test_web_ui.py::test_a_run_from_the_live_page",
            "live/test_bound_target.py::test_without_a_target_nothing_is_started",
        ),
    ),
    "F4": (
        "another rate while a run goes on was ignored",
        (
            "live/test_page.py::test_another_load_while_it_runs_is_a_stage_of_it",
            "live/test_start_form.py::test_a_run_that_goes_on_changes_its_load_only",
        ),
    ),
    "F5": ("the end of a run wiped all of it", ("live/test_page.py::test_when_it_has_ended_all_of_it_is_kept",)),
    "F6": (
        "each variant was shown the figures of all",
        ("live/test_page.py::test_while_it_runs_each_variant_has_its_own_figures",),
    ),
    "F7": (
        "the next run forgot its rate",
        (
            "live/test_started_from_outside.py::test_each_run_is_as_started_but_for_what_it_asks",
            "e2e/test_web_ui.py::test_a_run_from_the_form",
        ),
    ),
    "F8": (
        "a form of 19 fields by the alphabet, some of them dead",
        (
            "live/test_page.py::test_the_form_is_grouped_and_holds_what_a_browser_may_set",
            "live/test_start_form.py::test_the_form_shows_what_may_be_set_and_was_set_last",
        ),
    ),
    "F9": (
        "a worker died and all stayed green",
        (
            "live/test_view.py::test_what_a_lost_worker_was_doing_nobody_does_any_more",
            "live/test_view.py::test_silence_is_seen_before_the_loss",
            "live/test_view.py::test_a_loss_is_said_once",
        ),
    ),
}
"""What was wrong, and which tests would see it."""


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_tests(row: str) -> None:
    """A test that is renamed or deleted is missed here."""
    for place in ROWS[row][1]:
        file, _, name = place.partition("::")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, place
