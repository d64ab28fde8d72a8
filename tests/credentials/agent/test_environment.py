"""What the agent, and the programs it starts, find in their environment."""

import json

from bench.credentials import PlainAgent
from bench.credentials.agent.environment import needed_to_sign_in
from tests.credentials.agent.programs import write_program


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


def test_az_finds_its_folder_and_no_more(emulator, tmp_path, monkeypatch):
    """A real process: `az` sees AZURE_CONFIG_DIR, and neither our PYTHONPATH nor anybody's token."""
    seen = tmp_path / "seen.json"
    write_program(
        tmp_path,
        "az",
        f"import json, os, sys\njson.dump(dict(os.environ), open({str(seen)!r}, 'w'))\nsys.exit(1)",
    )
    monkeypatch.setenv("AZURE_CONFIG_DIR", "/config")
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    agent = PlainAgent(emulator.workspace, env={"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"})
    agent.asked_by()
    agent.close()
    environment = json.loads(seen.read_text())
    assert environment["AZURE_CONFIG_DIR"] == "/config"
    assert "PYTHONPATH" not in environment
    assert "hunter2" not in environment.values()
