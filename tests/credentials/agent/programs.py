"""Executables that print what the real `az` prints, and a sign-in whose environment holds them and nothing else."""

import dataclasses
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.credentials import Failure
from bench.endpoint import SignIn

LOGIN_EXPIRED = (
    "ERROR: AADSTS70043: The refresh token has expired or is invalid due to sign-in frequency checks by conditional "
    "access. The token was issued on 2026-01-01. Trace ID: 0a Correlation ID: 0b Timestamp: 2026-01-02\n"
    "Interactive authentication is needed. Please run:\naz login"
)
MFA = (
    "ERROR: AADSTS50076: Due to a configuration change made by your administrator, or because you moved to a new "
    "location, you must use multi-factor authentication to access '797f4846'. Trace ID: 0a\n"
    "Interactive authentication is needed. Please run:\naz login --scope https://management.core.windows.net//.default"
)
NOT_LOGGED_IN = "ERROR: Please run 'az login' to setup account."


def write_program(folder: Path, name: str, body: str) -> None:
    """A Python program called `name`, first on a PATH that has `folder`."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def failing(text: str) -> str:
    """The body of a program that says `text` and fails."""
    return f"import sys\nsys.stderr.write({text!r})\nsys.exit(1)"


_ASK = """
import dataclasses, json, sys
from bench.target.cloud import PUBLIC
from bench.credentials.agent.azure_clock import AzureClock
from bench.credentials.agent.azure_errors import explain
from bench.credentials.claims import claims_of
from bench.credentials.agent.identity import Identity
from bench.endpoint import SignIn, Workspace

sign_in = SignIn(**json.loads(sys.argv[1]))
identity = Identity(AzureClock(), {"retry_total": 0}, sign_in=sign_in, cloud=PUBLIC)
try:
    print(json.dumps({"claims": claims_of(identity.get_token_info(PUBLIC.arm_scope).token)}))
except Exception as exc:
    place = Workspace(subscription_id="s", resource_group="g", workspace_name="w")
    print(json.dumps({"failure": explain(exc, endpoint="e", workspace=place, tenant=sign_in.tenant_id).as_json()}))
"""


def sign_in_with(folder: Path, sign_in: SignIn | None = None, **environment: str) -> dict[str, Any] | Failure:
    """The claims of the token that azure-identity gets, or why it gets none; its chain not pinned.

    `folder` is its whole PATH. In a process of its own, as in the agent, but without azure-ai-ml, which takes seconds.
    """
    done = subprocess.run(
        [sys.executable, "-c", _ASK, json.dumps(dataclasses.asdict(sign_in or SignIn()))],
        env={
            "PATH": str(folder),
            "HOME": str(folder),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    return Failure.from_json(answer["failure"]) if "failure" in answer else answer["claims"]
