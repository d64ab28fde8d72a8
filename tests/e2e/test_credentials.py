"""The credential for other tools: the command, and the manager in somebody's own locustfile."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import LOCUSTFILES, bench, clean_environment


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
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("mode", ["key", "aml_token"])
def test_http_users_share_the_manager(
    mode: str, emulator: dict[str, Any], workspace: list[str], tmp_path: Path
) -> None:
    """Locust's HttpUser and FastHttpUser score with one lease: one fetch for all of them."""
    log = Path(emulator["log"])
    before = log.read_text().count('"operation":"')
    load = ("--headless", "--users", "10", "--spawn-rate", "100", "--csv", str(tmp_path / "locust"))
    target = ("--endpoint", emulator["endpoints"][mode], "--auth-mode", mode, *workspace)
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / "http_user.py"), *load, *target]
    with subprocess.Popen(
        command, cwd=tmp_path, env=clean_environment(**emulator["env"]), stdout=subprocess.DEVNULL
    ) as locust:
        try:
            while any(int(figures["Request Count"]) < 10 for figures in _figures(tmp_path / "locust_stats.csv")):
                assert locust.poll() is None
                time.sleep(0.1)
        finally:
            locust.kill()
    for figures in _figures(tmp_path / "locust_stats.csv"):
        assert figures["Failure Count"] == "0"
    calls = [json.loads(line)["operation"] for line in log.read_text().splitlines()[before:]]
    assert calls.count("listkeys" if mode == "key" else "token") == 1


def _figures(path: Path) -> list[dict[str, str]]:
    """What Locust has written of the two kinds of requests so far; zero of one that it has not mentioned."""
    rows = list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []
    known = {row["Name"]: row for row in rows if row["Request Count"]}
    return [known.get(name, {"Request Count": "0", "Failure Count": "0"}) for name in ("/score", "/score fast")]
