"""A run from its options to its folder: Locust started, watched and seen to its end. Edge: owns the waiting.

Locust is a child process, so that the command itself is never patched by gevent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bench
from bench.errors import EXIT_CODES, RunInvalid, UsageError
from bench.launch.locust_process import LocustProcess
from bench.launch.locust_words import refuse
from bench.launch.overdue import Overdue
from bench.plain_text import write_line
from bench.plan.run_plan import parse_duration_s
from bench.process import lifeline, signals
from bench.rundir import RunDir
from bench.settings.file import CONFIG_VARIABLE, NO_FILE
from bench.voice import PLAIN, Voice

_LOOK_EVERY_S = 5.0
"""A look that takes a millisecond keeps requests waiting where Locust has the same core."""
_HERE = Path(bench.__file__).parent


def locustfile_for(name: str) -> Path:
    """A locustfile that comes with this tool: in the repository, or within the installed package."""
    for folder in (_HERE / "locustfiles", _HERE.parent / "locustfiles"):
        if (folder / f"{name}.py").is_file():
            return folder / f"{name}.py"
    raise UsageError(f"locustfile {name}.py is not there", hint="name your own with --locustfile")


def run_locust(
    locustfile: Path,
    values: Mapping[str, Any],
    *,
    extra: Iterable[str] = (),
    enough: Callable[[RunDir], bool] | None = None,
    voice: Voice = PLAIN,
) -> tuple[RunDir | None, int]:
    """Run Locust headless with the run's options. Returns the run's folder, if it began, and a documented exit code.

    `extra` are words for Locust; UsageError when one of them would change what the options ask for. `enough` is asked
    about the folder every now and then, and ends the run when it says so.
    """
    words = list(extra)
    refuse(words)
    _say_what_is_ignored(voice)
    locust = LocustProcess(locustfile, values, extra=words, voice=voice)
    try:
        start_s = parse_duration_s(str(values.get("start_timeout") or "0"), option="--start-timeout")
        code = _wait(locust, enough or _never, start_s=start_s)
        return locust.folder(), code
    finally:
        locust.close()


def run_bench(words: Sequence[str], *, environment: Mapping[str, str], core: int | None = None) -> tuple[int, str, str]:
    """Run a command of this package as a child that does not outlive this process: exit code, stdout and stderr.

    It reads no settings file: what is measured is what the words say.
    """
    life = {lifeline.PARENT_VARIABLE: lifeline.as_variable(lifeline.terms())}
    child = subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        env={**os.environ, CONFIG_VARIABLE: NO_FILE, **environment, **life},
        preexec_fn=(lambda: os.sched_setaffinity(0, {core})) if core is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = child.communicate()
    except BaseException:
        child.terminate()
        child.communicate()
        raise
    return child.returncode, out, err


def _wait(locust: LocustProcess, enough: Callable[[RunDir], bool], *, start_s: float = 0.0) -> int:
    """Until it ends, by itself or because it has had its time. Signals are passed on: the run ends first, then this."""
    overdue, asked = Overdue(locust.process.pid, start_s=start_s), set[int]()

    def pass_on(number: int) -> None:
        asked.add(number)
        overdue.asked_to_end()
        locust.pass_on(number)

    with signals.passed_on(pass_on):
        while not locust.ended_within(_LOOK_EVERY_S):
            folder = locust.folder()
            if why := overdue.why(folder):
                write_line(sys.stderr, f"error: {why}: it was killed")
                locust.kill()
                return RunInvalid.exit_code
            if folder is not None and _is_enough(enough, folder):
                locust.pass_on(signal.SIGUSR1)
                enough = _never
    code = locust.process.returncode
    if code < 0:
        said = "interrupted" if -code in asked else f"error: Locust was killed by {_name(-code)}"
        sys.stderr.write(f"{said}\n")
        return RunInvalid.exit_code
    if asked and locust.folder() is None:
        sys.stderr.write("interrupted\n")
    return code if code in EXIT_CODES else 1


def _is_enough(enough: Callable[[RunDir], bool], folder: RunDir) -> bool:
    """The watcher must not take the run with it when it breaks: it is switched off by what it says then."""
    try:
        return enough(folder)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the run goes on
        write_line(sys.stderr, f"note: cannot look at the run for now: {type(exc).__name__}: {exc}; it goes on")
        return False


def _never(_: RunDir) -> bool:
    return False


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _say_what_is_ignored(voice: Voice) -> None:
    """Locust would read these by itself; a run of this tool is asked for by its own options only."""
    found = sorted(name for name in os.environ if name.startswith("LOCUST_"))
    found += [str(path) for path in (Path.home() / ".locust.conf", Path("locust.conf")) if path.is_file()]
    try:
        project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        project = {}
    if isinstance(tool := project.get("tool"), dict) and "locust" in tool:
        found.append("[tool.locust] in pyproject.toml")
    if found:
        voice.note(f"{', '.join(found)} ignored: give options to `bench`, or to Locust after --")
