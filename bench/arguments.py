"""Arguments that several commands share, settled with environment, profile and file. Edge: reads those.

The parser knows only what stands on the command line; `settle` fills in the rest, and says where each value came from.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.plan.options import Option, Repeated
from bench.settings.file import CONFIG_VARIABLE, PROFILE_VARIABLE, read_settings
from bench.settings.precedence import COMMAND_LINE, Setting, environment_layer, settle

_OPTIONS = "settled_options"


def add_options(parser: argparse.ArgumentParser, options: Iterable[Option], *, title: str) -> Any:
    """Options with all their sources, as one group of the help, which it returns."""
    options = tuple(options)
    group = parser.add_argument_group(title)
    for option in options:
        if option.switch:
            group.add_argument(option.flag, action="store_true", default=argparse.SUPPRESS, help=_help(option))
        else:
            group.add_argument(
                option.flag,
                metavar=option.metavar,
                choices=option.choices or None,
                action=Repeated if option.repeat else "store",
                default=argparse.SUPPRESS,
                help=_help(option),
            )
    parser.set_defaults(**{_OPTIONS: (*(parser.get_default(_OPTIONS) or ()), *options)})
    return group


def add_settings_arguments(parser: argparse.ArgumentParser) -> None:
    """Which file and which profile of it."""
    group = parser.add_argument_group("settings")
    group.add_argument("--profile", metavar="NAME", help=f"a profile of the settings file [env {PROFILE_VARIABLE}]")
    group.add_argument(
        "--config",
        metavar="FILE",
        help=f"settings file, or `none` (else bench.toml, else [tool.bench] of pyproject) [env {CONFIG_VARIABLE}]",
    )


def settle_arguments(arguments: argparse.Namespace) -> Mapping[str, str]:
    """Fill in what the command line left open. Returns where each value came from, by `Option.dest`.

    UsageError for a settings file that cannot be understood. `arguments.settings` is what the files say;
    `arguments.sources` is the answer again.
    """
    values = vars(arguments)
    options: tuple[Option, ...] = values.pop(_OPTIONS, ())
    if "config" not in values:
        return {}
    profile = values["profile"] or os.environ.get(PROFILE_VARIABLE, "")
    settings = read_settings(Path(), named=named_file(values["config"]), profile=profile)
    given = {option.dest: Setting(values[option.dest], COMMAND_LINE) for option in options if option.dest in values}
    settled = settle(options, [given, environment_layer(options, os.environ), *settings.layers()])
    values.update({name: setting.value for name, setting in settled.items()}, settings=settings)
    sources = {name: setting.source for name, setting in settled.items()}
    arguments.sources = sources
    return sources


def named_file(config: str | None) -> str:
    """The settings file that was asked for; empty for those of the working directory."""
    return config or os.environ.get(CONFIG_VARIABLE, "")


def add_min_effect(parser: argparse.ArgumentParser) -> None:
    """For a stored run, which has its own."""
    parser.add_argument(
        "--min-effect", metavar="TIME", default="", help="smallest difference that matters (the run's own)"
    )


def _help(option: Option) -> str:
    default = f"default {option.default}, " if option.default else ""
    return f"{option.help} [{default}env {option.env}]".replace("%", "%%")
