"""The `bench` command: a table of contents, and the only place where a process exits. Edge.

A command's module has `add_arguments(parser)` and `run(arguments) -> exit code`; it is imported only when it
is asked for, so that `bench --help` costs nothing.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from bench.errors import BenchError, RunInvalid, UsageError
from bench.plain_text import write_line
from bench.process import lifeline, signals, streams

COMMANDS: dict[str, str] = {
    "run": "load one endpoint in one auth mode, and report",
    "compare": "load two variants interleaved in one run (key against aml_token), and report the difference",
    "report": "make summary, plots and report of a stored run again, or overlay several",
    "diff": "compare stored runs: did this deployment get slower?",
    "gate": "judge a stored run by gates",
    "comment": "comment on a pull request: one comment, updated",
    "history": "runs over time, and the lasting shifts between them",
    "baseline": "save a run as the accepted baseline that gates may compare with",
    "emulator": "serve an Azure ML workspace with online endpoints on loopback",
    "capacity": "find the highest arrival rate that holds an objective",
    "scale": "a step in load: how long until throughput and p99 are back within bounds",
    "calibrate": "how true is the harness on this machine? other tools beside it, if you like",
    "drill": "let a fault loose on a run against the emulator, and see what it costs",
    "credentials": "who the principal is, and what credential it gets",
    "doctor": "can this principal get the credential, is the endpoint reachable, which role is missing",
}
_EPILOG = """\
exit codes: 0 ok | 2 bad options or gate | 3 no credential | 4 run invalid or incomplete
            10 gate failed | 11 gate inconclusive or without data | 1 anything else
"""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE}
"""What the machine lacks: no bug of this package, and what was stored so far is kept."""


def main() -> NoReturn:
    """Run the process's one command and exit with its code, whatever becomes of its output."""
    signals.while_starting()
    streams.tolerate()
    _follow_parent()
    try:
        code = _run(sys.argv[1:])
    except signals.Interrupted:
        signals.leave()
    except SystemExit as exc:  # argparse
        code = exc.code if isinstance(exc.code, int) else 1
    signals.while_leaving()
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


def _follow_parent() -> None:
    """Another command of this package that started this one takes it along when it goes."""
    agreed = lifeline.from_variable(os.environ.pop(lifeline.PARENT_VARIABLE, ""))
    if agreed is not None and not lifeline.follow(agreed, number=signals.ENDING[1]):
        signals.leave()


def _run(words: list[str]) -> int:
    if words and words[0] in COMMANDS:
        name, rest = words[0], words[1:]
        command = importlib.import_module(f"bench.commands.{name}")
        if getattr(command, "TAKES_ALL", False):
            return _guarded(lambda: command.run(rest))
        parser = argparse.ArgumentParser(prog=f"bench {name}", description=command.__doc__, formatter_class=_Help)
        command.add_arguments(parser)
        arguments = parser.parse_args(rest)
        return _guarded(lambda: command.run(arguments))
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Load tests and latency benchmarks for Azure ML online endpoints.",
        epilog="\n".join(["commands:", *(f"  {name:<12}{text}" for name, text in COMMANDS.items()), "", _EPILOG]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="bench COMMAND [options]   (bench COMMAND --help says more)",
    )
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help="one of the commands below")
    parser.parse_args(words)
    parser.print_help()
    return 0 if not words else 2


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Descriptions as written, defaults shown."""


def _guarded(command: Callable[[], int]) -> int:
    """What goes wrong on purpose is one line; a traceback is a bug."""
    try:
        signals.unwind()
        return command()
    except BenchError as exc:
        write_line(sys.stderr, f"error: {exc.describe()}")
        return exc.exit_code
    except OSError as exc:
        if "temporary directory" in str(exc):  # of `tempfile`, which has tried every folder it knows
            sys.stderr.write("error: no temporary file can be written (set TMPDIR to a folder with room)\n")
            return UsageError.exit_code
        if exc.errno not in _NO_ROOM:
            raise
        write_line(sys.stderr, f"error: {exc.filename or 'a file'} cannot be written: {exc.strerror}")
        return RunInvalid.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return RunInvalid.exit_code
