"""What goes wrong with a secret at hand is said without the secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import bench
from tests.e2e.conftest import emulator as emulator
from tests.e2e.conftest import workspace as workspace
from tests.security.searching import found_below, found_in

CANARY = "canary-2b9f60d1c4"
NOBODY = "http://127.0.0.1:1/score"


@pytest.mark.parametrize(
    ("words", "environment", "code"),
    [
        (("run", "--scoring-uri", NOBODY), {"BENCH_KEY": f"{CANARY} {CANARY}"}, 3),
        (("run", "--scoring-uri", NOBODY), {"BENCH_KEY": f"{CANARY}\n{CANARY}"}, 3),
        (("run", "--scoring-uri", NOBODY), {"BENCH_KEY": f"{CANARY}\u00fc"}, 3),
        (("run", "--scoring-uri", NOBODY), {"BENCH_KEY": CANARY}, 4),
        (("run", "--scoring-uri", NOBODY), {"BENCH_KEY": "k", "BENCH_RELAY_KEY": CANARY}, 2),
        (("run", "--scoring-uri", f"http://u:{CANARY}@127.0.0.1/"), {"BENCH_KEY": "k"}, 2),
        (("run", "--scoring-uri", f"{NOBODY}?code={CANARY}"), {"BENCH_KEY": "k"}, 4),
        (("doctor", "--scoring-uri", NOBODY), {"BENCH_KEY": CANARY}, 4),
        (("credentials", "--scoring-uri", NOBODY), {"BENCH_KEY": CANARY}, 2),
    ],
)
def test_a_static_secret(words: tuple[str, ...], environment: dict[str, str], code: int, tmp_path: Path) -> None:
    """Unusable, unused, or part of what is unusable: one line without it, and no file that has it."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "there").write_text("for the search to find something")
    done = bench(*words, cwd=tmp_path, **environment)
    assert done.code == code, done
    assert "Traceback" not in done.out + done.err
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert not found_in((done.out + done.err).encode(), (CANARY,))
    assert not found_below(tmp_path, (CANARY,))


def test_a_query_is_sent_and_not_shown(emulator: dict[str, Any], tmp_path: Path) -> None:
    """Some servers want a secret there: the request has it, files, statistics and Locust's own tables do not."""
    uri = f"{emulator['scoring_uri']['key']}?code={CANARY}"
    words = ("--scoring-uri", uri, "--arrival-rate", "20", "--duration", "1s", "--warm-up", "0s")
    done = bench("run", *words, "--", "--csv", "stats", cwd=tmp_path, BENCH_KEY="k")
    assert done.code in {0, 4}, done
    assert "refused" in done.out, done.out
    assert not found_in((done.out + done.err).encode(), (CANARY,))
    assert not found_below(tmp_path, (CANARY,))
