"""What the agent, and the programs it starts, find in their environment."""

import datetime as dt
import json
from contextlib import closing
from pathlib import Path

import jwt

from bench import clock
from bench.credentials import PlainAgent
from bench.credentials.agent.environment import needed_to_sign_in
from tests.credentials.agent.programs import NOT_LOGGED_IN, write_program


def test_the_secrets_of_others_stay_outside():
    """A CI job's environment is full of them."""
    others = {
        "BENCH_KEY": "hunter2",
        "GITHUB_TOKEN": "hunter2",
        "SYSTEM_ACCESSTOKEN": "hunter2",
        "AZURE_STORAGE_KEY": "hunter2",
        "AZURE_DEVOPS_EXT_PAT": "hunter2",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "LD_PRELOAD": "x.so",
    }
    assert needed_to_sign_in(others) == {}


def test_what_signing_in_needs_is_there():
    names = (
        *("AZURE_CLIENT_SECRET", "AZURE_CONFIG_DIR", "AZD_CONFIG_DIR", "AZURE_EXTENSION_DIR", "IDENTITY_HEADER"),
        *("MSI_SECRET", "HTTPS_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "PATH", "HOME", "LANG"),
        *("AZUREML_CURRENT_CLOUD", "ARM_CLOUD_METADATA_URL", "USERPROFILE", "SystemRoot", "TMPDIR"),
    )
    wanted = dict.fromkeys(names, "x")
    assert needed_to_sign_in(wanted) == wanted


def _program(said: str, *, folder: str, log: Path) -> str:
    """Whoever is named in the file `who` of its own folder is logged in; it tells its environment, and fails if not."""
    return f"""
import json, os, pathlib, sys
name = pathlib.Path(sys.argv[0]).name
with open({str(log)!r}, "a") as log: log.write(json.dumps([name, dict(os.environ)]) + "\\n")
if pathlib.Path(os.environ[{folder!r}], "who").read_text() != name:
    sys.stderr.write({NOT_LOGGED_IN!r}); sys.exit(1)
print({said!r})
"""


def test_each_program_finds_its_folder_and_no_more(emulator, tmp_path, monkeypatch):
    """`az`, `azd` and `pwsh`, which print what the real ones print: each reads its own folder's variable, signs
    somebody in, and sees neither our PYTHONPATH nor anybody's token."""
    ends_s, log = int(clock.wall_s()) + 3600, tmp_path / "log"
    date = dt.datetime.fromtimestamp(ends_s, dt.UTC)
    tokens = {
        name: jwt.encode({"oid": name, "exp": ends_s}, "k" * 32, algorithm="HS256") for name in ("az", "azd", "pwsh")
    }
    az = {"accessToken": tokens["az"], "expiresOn": f"{date:%Y-%m-%d %H:%M:%S.%f}", "expires_on": ends_s}
    azd = {"token": tokens["azd"], "expiresOn": f"{date:%Y-%m-%dT%H:%M:%SZ}"}
    said = {
        "az": (json.dumps({**az, "subscription": "s", "tenant": "t", "tokenType": "Bearer"}), "AZURE_CONFIG_DIR"),
        "azd": (json.dumps(azd), "AZD_CONFIG_DIR"),
        "pwsh": (f"azsdk%{tokens['pwsh']}%{ends_s}", "HOME"),
    }
    for name, (text, folder) in said.items():
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(folder, str(tmp_path / folder))
        write_program(tmp_path, name, _program(text, folder=folder, log=log))
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    with closing(PlainAgent(emulator.workspace, env={"AZURE_TOKEN_CREDENTIALS": "dev"})) as agent:
        for who in said:
            for _, folder in said.values():
                (tmp_path / folder / "who").write_text(who)
            agent.asked_by()  # the one who was logged in before is asked first, and is not any more
            assert agent.asked_by() == {"oid": who}
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    assert {name for name, _ in calls} == said.keys()
    for _, environment in calls:
        assert "PYTHONPATH" not in environment
        assert "hunter2" not in environment.values()
