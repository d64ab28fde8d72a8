"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from bench.plan.options import Option, Repeated


def add_options(parser: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Every option with its environment variable as the second source."""
    for option in options:
        if option.switch:
            parser.add_argument(option.flag, action="store_true", help=f"{option.help} [env {option.env}]")
        else:
            parser.add_argument(
                option.flag,
                metavar=option.metavar,
                choices=option.choices or None,
                action=Repeated if option.repeat else "store",
                default=os.environ.get(option.env) or option.default,
                help=f"{option.help} [env {option.env}]",
            )


def add_min_effect(parser: argparse.ArgumentParser) -> None:
    """For a stored run, which has its own."""
    parser.add_argument(
        "--min-effect", metavar="TIME", default="", help="smallest difference that matters (the run's own)"
    )
