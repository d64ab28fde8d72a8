"""What the README says of roles is what the program does; errors have cures (see `credentials.table`)."""

from pathlib import Path

import pytest

from bench.credentials import Grant
from bench.credentials.agent.arm_errors import CODES, meaning_of, wanted_tenant
from bench.credentials.agent.entra_errors import CURES
from bench.emulator.refusals import ARM_REFUSALS, ENTRA_ERRORS
from bench.endpoint import AuthMode, Endpoint

README = Path(__file__).parents[3] / "README.md"
ACTIONS = {
    "endpoint": "read",
    "deployments": "deployments/read",
    "listkeys": "listkeys/action",
    "token": "token/action",
}
"""An operation in the emulator's log -> the action it takes."""


def test_every_error_the_emulator_gives_has_a_meaning():
    """None falls through to a sentence that fits everything."""
    unknown = {word for word, (_, code, text) in ARM_REFUSALS.items() if code and meaning_of(code, text) is None}
    assert unknown == {"no_workspace"}  # its meaning depends on what its message names
    assert {f"AADSTS{code}" for code in ENTRA_ERRORS} <= CURES.keys()


def test_cures_are_one_short_line():
    for cure in [*CURES.values(), *(error.cure for error in CODES.values())]:
        assert "\n" not in cure
        assert len(cure) < 200


@pytest.mark.parametrize(
    "text",
    [
        'Bearer authorization_uri="https://login.windows.net/99999999-0000-4000-8000-00000000cafe", error="x"',
        'Bearer authorization_uri="https://login.microsoftonline.us/99999999-0000-4000-8000-00000000cafe"',
    ],
)
def test_the_tenant_in_a_challenge(text):
    assert wanted_tenant(text, "") == "99999999-0000-4000-8000-00000000cafe"
    assert wanted_tenant("", "no tenant here") == ""


@pytest.mark.parametrize(("mode", "reads"), [(mode, reads) for mode in AuthMode for reads in (True, False)])
def test_the_readme_names_the_actions_that_are_asked_for(agent, emulator, mode, reads):
    """The table's rows, from what the emulator saw being asked."""
    name = emulator.endpoint(mode)
    before = emulator.calls()
    if reads:
        assert isinstance(agent.described(name), Endpoint)
    assert isinstance(agent.fetch(name, mode, reads=reads), Grant)
    asked = {ACTIONS[operation] for operation in emulator.calls() - before if operation in ACTIONS}
    optional = asked & {"deployments/read"}
    needed = sorted(asked - optional) + (["score/action"] if mode is AuthMode.AAD_TOKEN else [])
    given = "`--endpoint`" if reads else "`--endpoint` and `--scoring-uri`"
    row = f"| {given}, {mode} | {_list(needed)} | {_list(sorted(optional)) or 'nothing'} |"
    assert row in README.read_text()


@pytest.mark.parametrize("mode", [AuthMode.KEY, AuthMode.AML_TOKEN])
def test_without_one_of_them_it_fails(agent, emulator, mode):
    """So that the table does not ask for less than there must be."""
    for action in ("read", CREDENTIAL[mode]):
        emulator.fault(do="deny", action=action)
        assert not isinstance(agent.fetch(emulator.endpoint(mode), mode), Grant)
        emulator.calm()


CREDENTIAL = {AuthMode.KEY: "listkeys/action", AuthMode.AML_TOKEN: "token/action"}


def _list(actions) -> str:
    return ", ".join(f"`{action}`" for action in actions)
