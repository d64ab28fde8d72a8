"""The credential for other tools: the command, and the manager in somebody's own locustfile."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import LOCUSTFILES, bench, start_and_wait


def test_says_what_there_is_but_not_the_secret(emulator: dict[str, Any], workspace: list[str], tmp_path: Path) -> None:
    """Principal, mode, life and next refresh; the secret only when asked, and then it scores."""
    target = ["--endpoint", emulator["endpoints"]["aml_token"], *workspace]
    shown = bench("credentials", *target, cwd=tmp_path, **emulator["env"])
    assert shown.code == 0, shown
    assert "principal: " in shown.out
    assert "aml_token, generation 1" in shown.out
    assert "next refresh in" in shown.out
    secret = bench("credentials", *target, "--show-secret", cwd=tmp_path, **emulator["env"]).out.strip()
    assert secret.count(".") == 2  # a JWT, and nothing else
    assert secret not in shown.out + shown.err
    request = urllib.request.Request(
        emulator["scoring_uri"]["aml_token"], data=b"{}", headers={"Authorization": f"Bearer {secret}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("mode", ["key", "aml_token"])
def test_http_users_share_the_manager(
    mode: str, emulator: dict[str, Any], workspace: list[str], tmp_path: Path
) -> None:
    """Locust's HttpUser and FastHttpUser score with one lease: one fetch for all of them."""
    log = Path(emulator["log"])
    before = log.read_text().count('"operation":"')
    done = start_and_wait(
        [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(LOCUSTFILES / "http_user.py"),
            "--headless",
            "--json",
            "--users",
            "10",
            "--spawn-rate",
            "100",
            "--run-time",
            "8s",
            "--loglevel",
            "ERROR",
            "--endpoint",
            emulator["endpoints"][mode],
            "--auth-mode",
            mode,
            *workspace,
        ],
        cwd=tmp_path,
        **emulator["env"],
    )
    assert done.code == 0, done
    stats = {entry["name"]: entry for entry in json.loads(done.out[done.out.index("[") :])}
    for name in ("/score", "/score fast"):
        assert stats[name]["num_requests"] > 10
        assert stats[name]["num_failures"] == 0
    calls = [json.loads(line)["operation"] for line in log.read_text().splitlines()[before:]]
    assert calls.count("listkeys" if mode == "key" else "token") == 1
