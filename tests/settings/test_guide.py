"""The guide to configuration: its file is right, its commands do what it says. Nothing is sent here."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from bench import cli
from bench.plan.options import SETTABLE_OPTIONS
from bench.runset import make

GUIDE = (Path(__file__).parents[2] / "docs/guides/configuration.md").read_text()
EXAMPLES = [
    line.removeprefix("$ bench ").split(" >")[0]
    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the guide's file."""
    for name in [*(option.env for option in SETTABLE_OPTIONS), "BENCH_PROFILE", "BENCH_CONFIG"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    Path("bench.toml").write_text(text)


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[dict[str, object]] = []
    monkeypatch.setattr(make, "run_locust", lambda _, values, **__: got.append(values) or (None, 4))
    words = shlex.split(line)
    assert cli._run(words) == (4 if words[0] == "run" else 0)
    for values in got:
        assert (values["emulator"], values["endpoint"], values["duration"]) == (True, "", "5s")


def test_what_it_says_of_where_values_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["config", "show", "--profile", "nightly", "--duration", "20m", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["options"]
    assert found["duration"] == {"value": "20m", "source": "command line"}
    assert found["arrival-rate"] == {"value": "", "source": "default"}  # the profile's stages answer that
    assert found["endpoint"]["source"] == "bench.toml line 4 [run]"


def test_the_mistake_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("bench.toml")
    file.write_text(file.read_text().replace('duration = "2m"', 'duratoin = "2m"'))
    assert cli._run(["config", "validate"]) == 2
    assert capsys.readouterr().err in GUIDE


def test_there_are_examples() -> None:
    """Or the tests above try nothing."""
    assert {line.split()[0] for line in EXAMPLES} == {"config", "run"}
