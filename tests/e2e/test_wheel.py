"""The installed wheel works outside the repository; the locustfiles travel with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import REPOSITORY, clean_environment, start_and_wait

pytestmark = pytest.mark.slow


def test_a_run_from_the_wheel(tmp_path: Path) -> None:
    """`bench run` from a wheel, in a folder that knows nothing of the repository."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    site = tmp_path / "site"
    for words in (
        ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(REPOSITORY)],
        [
            "install",
            "--no-deps",
            "--target",
            str(site),
            "azureml-endpoint-bench",
            "--find-links",
            str(tmp_path),
            "--no-index",
        ],
    ):
        subprocess.run([*pip, *words], check=True, env=clean_environment(), cwd=tmp_path)
    done = start_and_wait(
        [
            str(site / "bin" / "bench"),
            "run",
            "--emulator",
            "--arrival-rate",
            "50",
            "--duration",
            "1s",
            "--warm-up",
            "0s",
        ],
        cwd=tmp_path,
        PYTHONPATH=str(site),
    )
    assert done.code in {0, 4}, done
    assert done.summary_at(tmp_path)["variants"]["key"]["outcomes"] == {"ok": 50}
    where = start_and_wait(
        [sys.executable, "-c", "import bench; print(bench.__file__)"], cwd=tmp_path, PYTHONPATH=str(site)
    )
    assert where.out.startswith(str(site))
