"""What a shell completes, asked of the shell itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bench import cli

_ASK = """
source ./bench.bash
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
complete -p bench >/dev/null || exit 9
function=$(complete -p bench | sed -E 's/.*-F ([^ ]+).*/\\1/')
"$function" bench "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert cli._run(["completion", "bash"]) == 0
    (tmp_path / "bench.bash").write_text(capsys.readouterr().out)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("bench ca", {"capacity", "calibrate"}),
        ("bench run --arr", {"--arrival-rate", "--arrivals", "--arrivals-from"}),
        ("bench run --arrivals ", {"constant", "poisson"}),
        ("bench config ", {"show", "validate"}),
        ("bench completion z", {"zsh"}),
    ],
)
def test_bash(words: str, offered: set[str], script: Path) -> None:
    quoted = words if not words.endswith(" ") else f"{words}''"
    done = subprocess.run(
        ["bash", "-c", _ASK.format(words=quoted)], cwd=script, capture_output=True, text=True, check=True
    )
    assert offered <= set(done.stdout.split()), done


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command is there; a shell that is installed can read it."""
    assert cli._run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in cli.COMMANDS)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True, capture_output=True)
