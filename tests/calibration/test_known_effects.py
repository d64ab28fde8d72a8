"""What is compared where the answer is known: which tables there are, and what a row says of a run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.calibration import known_effects
from bench.commands import calibrate
from bench.errors import UsageError

_RESOLVED = {"estimate": 1.1, "low": 0.8, "high": 1.4, "verdict": "WORSE"}
_UNRESOLVED = {"estimate": 1.1, "low": None, "high": None, "verdict": "INCONCLUSIVE"}


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    calibrate.add_arguments(parser)
    return calibrate.run(parser.parse_args(words))


@pytest.mark.parametrize("words", [("--tls",), ("--classes",), ("--aa", "2"), ("--statistics",), ("--histories", "3")])
def test_what_there_is_not_of_streams_is_refused_before_anything_runs(words: Sequence[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"--streaming does not go with {words[0]}"):
        command("--streaming", *words, "--out", str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_known_delay_of_first_tokens_has_a_table_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key against aad_token on chats; where a run had no interval, the table says so."""
    asked: list[list[str]] = []

    def compared(words: list[str], **_: Any) -> tuple[None, dict[str, Any]]:
        asked.append(words)
        first = {"p50": _RESOLVED, "mean": _UNRESOLVED}
        comparison = {"time_to_first_token_ms": first, "inter_token_latency_ms": {"p50": {"verdict": "EQUIVALENT"}}}
        return None, {"comparison": comparison, "trust": {"verdict": "TRUSTED"}}

    monkeypatch.setattr(known_effects, "bench", compared)
    assert command("--streaming", "--overhead", "2", "--out", str(tmp_path)) == 0
    assert [any("--token-validation-delay 1.0ms" in word for word in words) for words in asked] == [False] * 2 + [
        True
    ] * 2
    assert all("--auth-mode=key,aad_token" in words for words in asked)
    rows = json.loads((tmp_path / "streaming_overhead.json").read_text())["rows"]
    assert [(row["p50 holds it"], row["mean holds it"]) for row in rows] == [("no", "no interval")] * 2 + [
        ("yes", "no interval")
    ] * 2
    assert (tmp_path / "streaming_overhead.md").read_text().startswith("# bench calibrate --streaming --overhead\n")
