"""The guide's page of errors, made from the agent's tables: `python -m tests.credentials.agent.error_page`."""

from pathlib import Path

from bench.credentials.agent.arm_errors import CODES
from bench.credentials.agent.entra_errors import CURES
from bench.credentials.failure import FailureKind

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "it-does-not-work.md"

_EXIT = {FailureKind.NOT_FOUND: 2}
_HEAD = """# It does not work: by message

Look for the code in what `bench` said. Exit code 2: a name or an option is wrong; 3: no credential could be had; 4: the
endpoint is there and cannot answer, or cannot be reached. This page is made from the tables the program uses.

| it says | exit | what to do |
|---|---|---|
| the principal lacks Microsoft.MachineLearningServices/... | 3 | ask for the role or the action it names |
| no online endpoint, no workspace | 2 | check the name, `--workspace` and `--resource-group` |
| endpoint is Creating, Failed, Deleting | 4 | wait, or deploy it again |
| endpoint has no deployment | 2 | it lists those there are |
| no deployment takes traffic | 4 | give one a share, or pin one with `--deployment` |
| sends on (308) to | 4 | give that URI: a redirect is not followed, for the secret would go along |
| not ARM but something before it answered | 3 | a proxy: set `HTTPS_PROXY`, or have Azure's hosts allowed |
| the certificate cannot be verified | 3, 4 | give your company's authority with `--ca-file` |
| az did not answer in | 3 | see why it is slow, or raise `--sign-in-timeout` |
| nobody is signed in here | 3 | `az login`, or see [Sign in](sign-in.md) |
| half a service principal | 3 | set all of its variables, or none |
| ... attempts in ... s | 3 | Azure stayed in trouble; raise `--start-timeout`, or try later |
| has no life left | 3 | Azure granted a token that is over: check its clock and yours |
"""


def page() -> str:
    """The whole page."""
    rows = [_HEAD, "## Azure Resource Manager\n", "| code | what it means | exit | what to do |", "|---|---|---|---|"]
    for code, error in CODES.items():
        cure = error.cure.replace("{tenant}", "T").replace("|", "\\|")
        rows.append(f"| {code} | {error.says} | {_EXIT.get(error.kind, 3)} | {cure} |")
    rows += ["\n## Entra (exit 3)\n", "| code | what to do |", "|---|---|"]
    rows += [f"| {code} | {cure.replace('{tenant}', ' --tenant T')} |" for code, cure in CURES.items()]
    rows.append("\nAny other code: `https://login.microsoftonline.com/error?code=` and its digits.")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
