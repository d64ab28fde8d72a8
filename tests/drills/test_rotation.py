"""A real endpoint's key regenerated in mid-run: never by mistake, through the real SDK, on both control planes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.drills import rotation
from bench.errors import RunInvalid
from tests.azure_stub.plane import PLACE, serving
from tests.credentials.emulated import Emulator
from tests.e2e.command import Done, bench

SHORT = ("--duration", "6s", "--arrival-rate", "20", "--users", "4", "--keep", "runs")
WORD = "--yes-rotate-real-keys"


def rotate(endpoint: str, place: Any, env: dict[str, str], cwd: Path, *words: str) -> Done:
    return bench(
        *("drill", "rotate", "--endpoint", endpoint, "--subscription-id", place.subscription_id),
        *("--resource-group", place.resource_group, "--workspace", place.workspace_name),
        *(*SHORT, *words),
        cwd=cwd,
        **env,
    )


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    running = Emulator()
    yield running
    running.stop()


def test_on_the_emulator(emulator: Emulator, tmp_path: Path) -> None:
    """What it cost is printed: refusals, replays, seconds; the run is kept, and only requests in flight were lost."""
    done = rotate("ep-key", emulator.workspace, emulator.env, tmp_path, WORD)
    assert done.code == 0, done
    assert "regenerating the primary key of ep-key now" in done.err
    assert emulator.calls()["regeneratekeys"] == 1
    assert "the primary key was regenerated" in done.out
    assert "got a 401, the first" in done.out
    assert len(list((tmp_path / "runs").glob("*/manifest.json"))) == 1


@pytest.mark.slow
def test_on_the_second_plane(tmp_path: Path) -> None:
    """The same, and no key is in what it says."""
    with serving() as stub:
        done = rotate("ep", PLACE, stub.env, tmp_path, WORD)
        assert done.code == 0, done
        assert stub.keys == {"primary": "new-first-key", "secondary": "second-key"}
        assert stub.asked.count("POST regeneratekeys") == 1
        assert {"Bearer first-key", "Bearer new-first-key"} <= set(stub.scored_with)
    assert "went well when sent again" in done.out
    assert "first-key" not in done.out + done.err


@pytest.mark.parametrize("word", ["", "--yes", "--yes-rotate"])
def test_never_without_the_whole_word(word: str, emulator: Emulator, tmp_path: Path) -> None:
    """Not by an abbreviation either, and not from the environment; nobody is even asked."""
    before = emulator.calls()
    env = {**emulator.env, "BENCH_YES_ROTATE_REAL_KEYS": "1"}
    done = rotate("ep-key", emulator.workspace, env, tmp_path, *filter(None, [word]))
    assert done.code == 2
    assert WORD in done.err or f"there is no option {word}" in done.err
    assert emulator.calls() == before


def test_what_cannot_be_rotated(emulator: Emulator, tmp_path: Path) -> None:
    """An endpoint of another mode, and two at once: said before anything is started."""
    other = rotate("ep-aml-token", emulator.workspace, emulator.env, tmp_path, WORD)
    assert (other.code, other.err.strip()) == (2, "error: endpoint 'ep-aml-token' uses aml_token: it has no keys")
    two = rotate("a,b", emulator.workspace, emulator.env, tmp_path, WORD)
    assert (two.code, "needs one --endpoint" in two.err) == (2, True)
    assert not (tmp_path / "runs").exists()


def test_a_run_that_ended_rotates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was killed while it was waited for."""

    class Gone:
        process = type("Process", (), {"poll": staticmethod(lambda: -9)})

        def __init__(self, *_: Any) -> None:
            self.close: Callable[[], None] = lambda: None

    monkeypatch.setattr(rotation, "LocustRun", Gone)
    monkeypatch.setattr(rotation, "await_zero", lambda _: 0)
    with pytest.raises(RunInvalid, match="nothing was done"):
        rotation.carry_out({}, locustfile=Path("x"), regenerate=pytest.fail, at_s=0.0, lasts_s=1.0)
