"""The command line as a whole: mistakes are one line with what was meant, and settings show where they came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import cli
from bench.plan.options import SETTABLE_OPTIONS
from bench.runset import make

FILE = """
gates = ["error_rate <= 1%"]
[run]
scoring-uri = "http://127.0.0.1:1/score"
duration = "3s"
users = 5
[profiles.nightly]
duration = "9s"
arrival-rate = 50
gates = { strict = "error_rate == 0%" }
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a settings file, and an environment that says nothing."""
    for option in SETTABLE_OPTIONS:
        monkeypatch.delenv(option.env, raising=False)
    for name in ("BENCH_KEY", "BENCH_TOKEN", "BENCH_CONFIG", "BENCH_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").write_text(FILE)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, tuple[str, str]]:
    assert cli._run(["config", "show", "--json", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    return {name: (entry["value"], entry["source"]) for name, entry in found["options"].items()}


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    try:
        code = cli._run(list(words))
    except SystemExit as exc:  # argparse
        code = int(exc.code or 0)
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1
    return said.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rnu"], "no command 'rnu' (did you mean run?)"),
        (["xyzzy"], "`bench --help` lists the commands"),
        (["run", "--durration", "5s"], "did you mean --duration?"),
        (["run", "--keys", "hunter2"], "a secret is never an option: export BENCH_KEY"),
        (["run", "--bearer-token=hunter2"], "there is no option --bearer-token (a secret is never an option"),
        (["gate", "one", "two"], "'two' is one word too many"),
        (["run", "--arival-rate=5"], "did you mean --arrival-rate?"),
        (["gate"], "RUN"),
        (["run", "--method", "POKE"], "invalid choice"),
        (["config"], "action"),
        (["run", "--emulator", "--duration", "-1s"], "--duration: '-1s' is not a duration"),
        (["run", "--emulator", "--arrival-rate", "-.5"], "--arrival-rate: -.5 is too small"),
        (["run", "--emulator", "--duration"], "error: --duration needs a value"),
        (["export"], "required: otlp"),
        (["run", "--profile", "nihgtly"], "did you mean nightly?"),
        (["run", "--config", "missing.toml"], "missing.toml cannot be read"),
        (["run", "--baseline-allows", "moon"], "invalid choice"),
        (["run\n##vso[task.complete]"], "no command"),
    ],
)
def test_a_slip_is_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, *words)
    assert says in said
    assert "##vso" not in said
    assert "hunter2" not in said


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("bench 0.")


def test_where_each_value_came_from(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Command line, environment, profile, file, default."""
    monkeypatch.setenv("BENCH_TIMEOUT", "7s")
    monkeypatch.setenv("BENCH_DURATION", "5s")
    found = shown(capsys, "--profile", "nightly", "--duration", "1s")
    assert found["duration"] == ("1s", "command line")
    assert found["timeout"] == ("7s", "BENCH_TIMEOUT")
    assert found["arrival-rate"] == ("50", "bench.toml line 9 [profiles.nightly]")
    assert found["users"] == ("5", "bench.toml line 6 [run]")
    assert found["seed"] == ("0", "default")
    assert {option.name for option in SETTABLE_OPTIONS} <= found.keys()
    monkeypatch.setenv("BENCH_PROFILE", "nightly")
    assert shown(capsys)["duration"] == ("5s", "BENCH_DURATION")


def test_secrets_are_masked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the environment, and those in a URI."""
    for name in ("BENCH_KEY", "BENCH_KEY_2", "BENCH_RELAY_KEY", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("BENCH_SCORING_URI", "https://u:hunter2@host/score?code=hunter2")
    for words in (["config", "show"], ["config", "show", "--json"]):
        assert cli._run(words) == 0
        said = capsys.readouterr().out
        assert "hunter2" not in said
        assert "BENCH_KEY_2" in said
        assert "https://host/score?***" in said


def test_a_repeated_option_is_taken_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers of the command line take the place of the environment's."""
    monkeypatch.setenv("BENCH_HEADER", "A: 1")
    assert shown(capsys)["header"] == ("A: 1", "BENCH_HEADER")
    assert shown(capsys, "--header", "B: 2", "--header", "C: 3")["header"] == ("B: 2, C: 3", "command line")


def test_a_mistake_says_where_the_value_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a value that nobody typed."""
    monkeypatch.setenv("BENCH_DURATION", "soon")
    assert "--duration: 'soon' is not a duration" in (said := refused(capsys, "run"))
    assert "[from BENCH_DURATION]" in said
    assert "[from" not in refused(capsys, "run", "--duration", "later")


def test_validate(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    """Every mistake is a line, also what only goes wrong together; nothing at all is one, too."""
    assert cli._run(["config", "validate"]) == 0
    assert capsys.readouterr().out == "bench.toml is right: 3 options, 1 gates, profiles nightly\n"
    (place / "bench.toml").write_text(FILE + "stages = '5s@5'\nfoo = 3\n[profiles.x]\nusers = 'y'\n")
    assert cli._run(["config", "validate"]) == 2
    assert [line.split(":")[1] for line in capsys.readouterr().err.splitlines()] == [
        " bench.toml line 12 [profiles.nightly]",
        " bench.toml line 14 [profiles.x]",
    ]
    (place / "bench.toml").write_text(FILE + "stages = '5s@5'\n[profiles.x]\ngates = ['latency < 3ms']\n")
    assert cli._run(["config", "validate"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "bench.toml [profiles.nightly]: --arrival-rate and --stages exclude each other" in said[0]
    assert "bench.toml line 13 [profiles.x] gates 'latency < 3ms': unknown metric" in said[1]
    (place / "bench.toml").unlink()
    assert "no settings here" in refused(capsys, "config", "validate")


def test_what_a_run_gets(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher is handed settled values, and the gates of the profile."""
    got = {}
    monkeypatch.setattr(make, "run_locust", lambda _file, values, **_: got.update(values) or (None, 4))
    assert cli._run(["run", "--profile", "nightly", "--users", "8"]) == 4
    assert (got["scoring_uri"], got["duration"], got["users"]) == ("http://127.0.0.1:1/score", "9s", "8")
    assert cli._run(["run", "--emulator", "--config", "bench.toml"]) == 4
    assert (got["emulator"], got["scoring_uri"], got["duration"]) == (True, "", "3s")
    assert cli._run(["run", "--emulator", "--config", "none"]) == 4
    assert got["duration"] == "60s"


def test_a_set_of_runs_may_stand_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`bench config` shows where each came from; what does not go together is reported with its place; 0 is one run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").write_text(
        '[run]\nemulator = true\nruns = 5\npause = "10s"\nhistory = "results/history"\n'
        '[profiles.once]\nruns = 0\npause = ""\nconfirm = true\n'
    )
    assert cli._run(["config", "validate"]) == 0
    capsys.readouterr()
    assert cli._run(["config", "show", "--json"]) == 0
    options = json.loads(capsys.readouterr().out)["options"]
    assert options["runs"] == {"value": "5", "source": "bench.toml line 3 [run]"}
    assert options["history"]["value"] == "results/history"
    assert options["confirm"] == {"value": "false", "source": "default"}
    assert cli._run(["run", "--confirm"]) == 2
    assert "--confirm is for one run" in capsys.readouterr().err
    (tmp_path / "bench.toml").write_text("[run]\nemulator = true\nruns = 1\n")
    assert cli._run(["run"]) == 2
    assert "--runs: 1 is not between 2 and 1,000 [from bench.toml line 3 [run]]" in capsys.readouterr().err
    assert cli._run(["config", "validate"]) == 2
    assert "bench.toml: --runs: 1 is not between" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["baseline", "save", "--as", "main", "nowhere"],
        ["baseline", "--as", "main", "save", "nowhere"],
        ["baseline", "save", "nowhere", "--as", "main"],
        ["history", "add", "--history", "perf", "nowhere"],
    ],
)
def test_an_option_may_stand_anywhere(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Also between the words of a command that has several."""
    assert "nowhere" in refused(capsys, *words)
    assert "one word too many" not in refused(capsys, *words)
