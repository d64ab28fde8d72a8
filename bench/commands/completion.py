"""Print a script with which a shell completes commands, options, choices and files.

examples:
  eval "$(bench completion bash)"                      (in ~/.bashrc)
  bench completion zsh > "${fpath[1]}/_bench"
  bench completion tcsh > ~/.bench.tcsh && echo 'source ~/.bench.tcsh' >> ~/.tcshrc
"""

from __future__ import annotations

import argparse
import importlib
import sys

from bench import cli

_FILES = {"FILE", "PEM"}
_FOLDERS = {"DIR", "RUN"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="which shell")


def run(arguments: argparse.Namespace) -> int:
    import shtab

    sys.stdout.write(shtab.complete(whole_parser(), shell=arguments.shell) + "\n")
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """Every command with its options, as one parser; `bench` itself never makes it, for that imports all of them."""
    import shtab

    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--version", action="store_true", help="say which version this is")
    places = parser.add_subparsers()
    for name, text in cli.COMMANDS.items():
        command = importlib.import_module(f"bench.commands.{name}")
        place = places.add_parser(name, help=text.replace("%", "%%"))
        if getattr(command, "TAKES_ALL", False):
            continue
        command.add_arguments(place)
        for action in place._actions:  # noqa: SLF001 - argparse has no other list of them
            if action.metavar in _FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.metavar in _FOLDERS:
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    return parser
