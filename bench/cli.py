"""The `bench` command: a table of contents, and the only place where a process exits. Edge.

A command's module has `add_arguments(parser)` and `run(arguments) -> exit code`; it is imported only when it
is asked for, so that `bench --help` costs nothing. With TAKES_ALL its `run` gets the words as they are; with
SETTLES_ITSELF the settings files are its own business.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import re
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from bench.errors import BenchError, RunInvalid, UsageError, expected
from bench.plain_text import write_line
from bench.process import lifeline, signals, streams
from bench.spelling import nearest
from bench.voice import PLAIN, Voice, answered, voice_of

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
    "config": "show each option's value and where it came from, or check the settings file",
    "credentials": "who the principal is, and what credential it gets",
    "export": "send a stored run to an OpenTelemetry collector",
    "completion": "a script with which a shell completes commands and options",
    "doctor": "can this principal get the credential, is the endpoint reachable, which role is missing",
}
_EPILOG = """\
exit codes: 0 ok | 2 bad options or gate | 3 no credential | 4 run invalid or incomplete
            10 gate failed | 11 gate inconclusive or without data | 1 anything else
"""

_OPTION = re.compile(r"--([a-z][a-z-]*)")
_NEGATIVE = re.compile(r"-[.\d]")


def main() -> NoReturn:
    """Run the process's one command and exit with its code, whatever becomes of its output."""
    signals.while_starting(answer=_if_interrupted(sys.argv[1:]))
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


def _if_interrupted(words: list[str]) -> bytes:
    """What a command that is ended before it has read its options must still answer."""
    own = itertools.takewhile(lambda word: word != "--", words)
    return answered(RunInvalid.exit_code, error="interrupted").encode() if "--json" in own else b""


def _follow_parent() -> None:
    """Another command of this package that started this one takes it along when it goes."""
    agreed = lifeline.from_variable(os.environ.pop(lifeline.PARENT_VARIABLE, ""))
    if agreed is not None and not lifeline.follow(agreed, number=signals.ENDING[1]):
        signals.leave()


def _run(words: list[str]) -> int:
    if not words or words[0].startswith("-"):
        return _about(words)
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        meant = nearest(name, COMMANDS)
        hint = f"did you mean {meant}?" if meant else "`bench --help` lists the commands"
        write_line(sys.stderr, f"error: no command {name[:40]!r} ({hint})")
        return UsageError.exit_code
    command = importlib.import_module(f"bench.commands.{name}")
    if getattr(command, "TAKES_ALL", False):
        return _guarded(lambda: command.run(rest))
    parser = _Parser(prog=f"bench {name}", description=command.__doc__, formatter_class=_Help)
    command.add_arguments(parser)
    arguments = parser.parse_args(rest)
    sources: dict[str, str] = {}

    def settled() -> int:
        if not getattr(command, "SETTLES_ITSELF", False):
            from bench.arguments import settle_arguments  # which `bench --help` has no use for

            sources.update(settle_arguments(arguments))
        code: int = command.run(arguments)
        return code

    return _guarded(settled, sources, voice_of(arguments))


def _about(words: list[str]) -> int:
    """What `bench` itself knows: its help, and its version."""
    parser = _Parser(
        prog="bench",
        description="Load tests and latency benchmarks for Azure ML online endpoints.",
        epilog="\n".join(["commands:", *(f"  {name:<12}{text}" for name, text in COMMANDS.items()), "", _EPILOG]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="bench COMMAND [options]   (bench COMMAND --help says more)",
    )
    parser.add_argument("--version", action="store_true", help="say which version this is")
    if parser.parse_args(words).version:
        write_line(sys.stdout, _version())
        return 0
    parser.print_help()
    return 0


def _version() -> str:
    from importlib import metadata

    versions = []
    for package in ("azureml-endpoint-bench", "locust"):
        try:
            versions.append(metadata.version(package))
        except metadata.PackageNotFoundError:
            versions.append("not installed")
    python = ".".join(map(str, sys.version_info[:3]))
    return f"bench {versions[0]} (Locust {versions[1]}, Python {python})"


class _Parser(argparse.ArgumentParser):
    """Says a mistake in one line, with what was probably meant."""

    def parse_args(self, words: Any = None, namespace: Any = None) -> Any:
        """Without the value of an option that does not exist in the message: it may be a secret."""
        several = sum(not action.option_strings for action in self._actions) > 1
        parse = self.parse_known_intermixed_args if several else self.parse_known_args  # `save --as main RUN`, too
        found, unknown = parse(_with_negative_values(words), namespace)
        if unknown:
            option = next((word.partition("=")[0] for word in unknown if word.startswith("-")), "")
            if not option:
                self.error(f"{unknown[0][:40]!r} is one word too many")
            self.error(f"there is no option {option[:40]}", self._meant_by(option))
        return found

    def error(self, message: str, hint: str = "") -> NoReturn:
        message = message.removeprefix("argument ")
        flag, missing, _ = message.partition(": expected one argument")
        if missing:
            message, hint = f"{flag} needs a value", f"one that begins with a dash is written {flag}=VALUE"
        write_line(sys.stderr, f"error: {message} ({hint or f'`{self.prog} --help` says more'})")
        sys.exit(UsageError.exit_code)

    def _meant_by(self, option: str) -> str:
        from bench.settings.secrets import is_secret_name

        if is_secret_name(option.lstrip("-")):
            return "a secret is never an option: export BENCH_KEY or BENCH_TOKEN"
        known = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        meant = nearest(option, known)
        return f"did you mean {meant}?" if meant else ""


def _with_negative_values(words: list[str]) -> list[str]:
    """`--duration -1s` as `--duration=-1s`: argparse would take -1s for an option, and say nothing of it."""
    joined: list[str] = []
    for place, word in enumerate(words):
        if word == "--":
            return joined + words[place:]
        if _NEGATIVE.match(word) and joined and _OPTION.fullmatch(joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


class _Help(argparse.RawDescriptionHelpFormatter):
    """Descriptions as written; the defaults that are not in an option's own words are shown."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help
        hidden = action.default in (None, "", False, argparse.SUPPRESS) or action.default == []
        return text if hidden or not text or not action.option_strings else f"{text} [default %(default)s]"


def _guarded(
    command: Callable[[], int], sources: Mapping[str, str] = MappingProxyType({}), voice: Voice = PLAIN
) -> int:
    """What goes wrong on purpose is one line; a traceback is a bug. `sources`: where each option's value came from."""
    try:
        signals.unwind()
        return command()
    except BenchError as exc:
        return _failed(voice, exc.exit_code, f"{exc.describe()}{_came_from(exc.message, sources)}")
    except (OSError, MemoryError) as exc:
        lacked = expected(exc)
        if lacked is None:
            raise
        return _failed(voice, lacked.exit_code, lacked.describe())
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        voice.answer(RunInvalid.exit_code, error="interrupted")
        return RunInvalid.exit_code


def _failed(voice: Voice, code: int, line: str) -> int:
    write_line(sys.stderr, f"error: {line}")
    voice.answer(code, error=line)
    return code


def _came_from(message: str, sources: Mapping[str, str]) -> str:
    """Where the value of the option that a message begins with came from, unless it was typed or is the default."""
    option = _OPTION.match(message)
    source = sources.get(option[1].replace("-", "_"), "") if option else ""
    return "" if source in {"", "default", "command line"} else f" [from {source}]"
