"""`az` hands out its cached token until five minutes before its end: the same token again is no renewal."""

import time
from contextlib import closing

import jwt

from bench import clock
from bench.credentials import PlainAgent
from bench.credentials.lease import NS_PER_S
from bench.endpoint import AuthMode
from tests.credentials.agent.programs import write_program


def test_the_same_token_is_not_asked_for_again_and_again(emulator, tmp_path):
    """The second time it is due when `az` will have another, not at half of what is left, and so on down."""
    exp = int(time.time()) + 3600
    token = jwt.encode({"exp": exp}, "k" * 32, algorithm="HS256")
    write_program(tmp_path, "az", f'print(\'{{"accessToken": "{token}", "expires_on": {exp}}}\')')
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}
    with closing(PlainAgent(emulator.workspace, env=environment)) as agent:
        first, second = (agent.fetch("any", AuthMode.AAD_TOKEN) for _ in range(2))
    now_ns = clock.monotonic_ns()
    assert first.secrets == second.secrets == (token,)
    assert (first.valid.refresh_after - now_ns) / NS_PER_S < 1900
    assert 3200 < (second.valid.refresh_after - now_ns) / NS_PER_S < 3330
