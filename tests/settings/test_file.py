"""Settings files that people break: each mistake is one line with its place and its cure, and nothing runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.settings.file import documents_in, read_settings

SECRET = "hunter2hunter2"


def refusal(folder: Path, text: str | bytes, **how: str) -> str:
    (folder / "bench.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        read_settings(folder, **how)
    line = caught.value.describe()
    assert len(line.splitlines()) == 1
    return line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[run]\nduratoin = 3", "bench.toml line 2 [run]: unknown key 'duratoin' (did you mean duration?)"),
        ("[run]\narrival_rate = 3", "did you mean arrival-rate?"),
        ("[runs]\n", "bench.toml line 1: unknown key 'runs' (did you mean run?)"),
        ("duration = '3s'", "options stand below [run]"),
        ("[run]\nusers = [1, 2]", "bench.toml line 2 [run]: users is a list (write text or a number)"),
        ("[run]\nusers = true", "users is true or false"),
        ("[run]\nusers = {a = 1}", "users is a table"),
        ("[run]\nusers = 'many'", "'many' is not a whole number"),
        ("[run]\nusers = -1", "line 2 [run]: users: -1 is too small"),
        ("[run]\narrival-rate = inf", "arrival-rate: inf is too large"),
        ("[run]\narrival-rate = nan", "arrival-rate: nan is too small"),
        ("[run]\nduration = 1979-05-27", "duration is a date or a time"),
        ("[run]\n\nduration = 'soon'", "bench.toml line 3 [run]: duration: 'soon' is not a duration"),
        ("[run]\nemulator = 'yes'", "write emulator = true, without quotes"),
        ("[run]\narrivals = 'sometimes'", "not one of constant, poisson"),
        ("[run]\nauth-mode = ['key', 'tokn']", "'tokn' is no auth mode"),
        ("[run]\nendpoint = ['a', 3.5, true]", "endpoint is true or false"),
        ("[run]\npath = 'no-slash'", "is not a path"),
        ("[run]\nextend-up-to = 'long'", "extend-up-to: 'long' is not a duration"),
        ("[run]\nheader = 'no colon'", "has no colon"),
        ("run = 3", "bench.toml line 1: run is not a table (write [run])"),
        ("[profiles]\nsmoke = 3", "bench.toml line 2 [profiles]: smoke is not a table (write [profiles.smoke])"),
        ("[profiles.smoke]\nusers = 'x'", "bench.toml line 2 [profiles.smoke]: users: 'x'"),
        ("[profiles.smoke]\ngates = 3", "gates is neither a list nor a table"),
        ("[run]\ngates = []", "unknown key 'gates'"),
        ("[run]\nusers = 3\nusers = 4", "Cannot overwrite a value"),
        ("[run", "is it a TOML file?"),
        (b"\xff\xfe[\x00r\x00", "bench.toml cannot be read: it is not UTF-8 (save it as UTF-8)"),
        (b"[run]\nendpoint = '\xe9'", "it is not UTF-8"),
        (b"\x00" * 100, "cannot be read"),
        ("x = " + "[" * 50_000, "cannot be read"),
        ("# " + "x" * (1 << 20), "more than any file of this tool"),
    ],
)
def test_what_is_wrong_is_named(text: str | bytes, says: str, tmp_path: Path) -> None:
    assert says in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        (f"BENCH_KEY = '{SECRET}'", "BENCH_KEY"),
        (f"[run]\nkey = '{SECRET}'", "BENCH_KEY"),
        (f"[run]\ntoken = '{SECRET}'", "BENCH_TOKEN"),
        (f"[run]\nclient-secret = '{SECRET}'", "export"),
        (f"[profiles.x]\nbench_relay_key = '{SECRET}'", "export"),
        (f"[secrets]\nkey = '{SECRET}'", "export"),
        (f"[run]\nheader = ['Authorization: Bearer {SECRET}']", "BENCH_KEY"),
        (f"[run]\nheader = ['X-Api-Key: {SECRET}']", "--header-env X-Api-Key=VARIABLE"),
        (f"[run]\nheader = 'X-Note: Bearer {SECRET}'", "BENCH_KEY"),
        (f"[run]\nscoring-uri = 'https://user:{SECRET}@host/score'", "BENCH_SCORING_URI"),
        (f"[run]\nscoring-uri = ['https://a/s', 'https://b/s?code={SECRET}']", "BENCH_SCORING_URI"),
        (f"[run]\nendpoint = 'eyJhbGciOiJSUzI1NiJ9.eyJ{SECRET}.x'", "BENCH_KEY"),
    ],
)
def test_a_secret_is_refused_with_the_cure_and_not_shown(text: str, cure: str, tmp_path: Path) -> None:
    """By its name or by its look, in any table."""
    line = refusal(tmp_path, text)
    assert cure in line
    assert SECRET not in line


def test_every_problem_is_found_and_the_first_one_stops_a_run(tmp_path: Path) -> None:
    text = "gate = []\n[run]\nduratoin = 3\nusers = 'x'\n[profiles.a]\nfoo = 1\n"
    assert "'gate'" in refusal(tmp_path, text)
    (document,) = documents_in(tmp_path)
    assert [problem.message.split(":")[0] for problem in document.problems] == [
        "bench.toml line 1",
        "bench.toml line 3 [run]",
        "bench.toml line 4 [run]",
        "bench.toml line 6 [profiles.a]",
    ]


def test_what_a_file_says(tmp_path: Path) -> None:
    """Numbers with or without quotes, lists where an option has several, a byte order mark, another order of tables."""
    (tmp_path / "bench.toml").write_text(
        "\ufeff[profiles.b]\nusers = 3\nemulator = false\n[run]\nemulator = true\nusers = '5'\nwarm-up = 0.5\n"
        'deployment = ["blue", "green"]\nheader = ["A: 1, 2"]\nstages = ["5s@10", "5s@20"]\n'
    )
    profile, run = read_settings(tmp_path, profile="b").layers()
    assert {name: setting.value for name, setting in run.items()} == {
        "emulator": "true",
        "users": "5",
        "warm_up": "0.5",
        "deployment": "blue,green",
        "header": '["A: 1, 2"]',
        "stages": "5s@10,5s@20",
    }
    assert {name: setting.value for name, setting in profile.items()} == {"users": "3", "emulator": "false"}
    assert run["users"].source == "bench.toml line 6 [run]"


def test_a_profile_that_there_is_not(tmp_path: Path) -> None:
    assert "no profile 'nihgtly' (did you mean nightly?)" in refusal(
        tmp_path, "[profiles.nightly]\n", profile="nihgtly"
    )
    assert "there are nightly" in refusal(tmp_path, "[profiles.nightly]\n", profile="x")
    (tmp_path / "bench.toml").unlink()
    with pytest.raises(UsageError, match="no profile 'x'"):
        read_settings(tmp_path, profile="x")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """A folder, a pipe, a link that leads nowhere: reported at once; one that was named must be there."""
    place = tmp_path / "bench.toml"
    for make in (place.mkdir, lambda: os.mkfifo(place), lambda: place.symlink_to("nowhere")):
        make()
        with pytest.raises(UsageError, match=r"bench\.toml cannot be read"):
            read_settings(tmp_path)
        place.rmdir() if place.is_dir() else place.unlink()
    with pytest.raises(UsageError, match=r"other\.toml cannot be read: No such file"):
        read_settings(tmp_path, named=str(tmp_path / "other.toml"))


def test_where_settings_come_from(tmp_path: Path) -> None:
    """bench.toml before pyproject.toml, options and gates each whole; a named file alone; `none`."""
    (tmp_path / "pyproject.toml").write_text("[tool.bench.run]\nusers = 1\nseed = 2\n[tool.ruff]\nx = 1\n")
    assert [layer.keys() for layer in read_settings(tmp_path).layers()] == [set(), {"users", "seed"}]
    assert read_settings(tmp_path).layers()[1]["users"].source == "pyproject.toml line 2 [tool.bench.run]"
    (tmp_path / "bench.toml").write_text("gates = ['requests > 1']\n")
    assert read_settings(tmp_path).layers()[1].keys() == {"users", "seed"}
    (tmp_path / "bench.toml").write_text("[run]\nusers = 3\n")
    assert {name: setting.value for name, setting in read_settings(tmp_path).layers()[1].items()} == {"users": "3"}
    (tmp_path / "ci.toml").write_text("[run]\nusers = 4\n")
    assert read_settings(tmp_path, named=str(tmp_path / "ci.toml")).layers()[1]["users"].value == "4"
    assert read_settings(tmp_path, named="none").layers() == ()
