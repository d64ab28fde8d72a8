"""Show each option's value and where it came from, or check the settings file.

examples:
  bench config show                              (what `bench run` would do here)
  bench config show --profile nightly --arrival-rate 500
  bench config validate                          (every mistake in bench.toml, with its line)
  bench config validate --config ci/bench.toml

What counts: command line, environment, profile, file, default, in this order. Nothing is sent, and no secret is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.arguments import named_file, settle_arguments
from bench.commands import run as run_command
from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.gates.settings import find_gates
from bench.plain_text import harmless_json, write_line
from bench.plan.options import SECRET_VARIABLES, SETTABLE_OPTIONS
from bench.plan.reading import plan_of
from bench.plan.request_plan import listed
from bench.plan.run_plan import Variant
from bench.plan.variants import sides_of, uris_of
from bench.runset.arguments import read_set
from bench.sample import WorkloadModel
from bench.settings.document import Document
from bench.settings.file import Settings, documents_in
from bench.settings.precedence import settle

SETTLES_ITSELF = True
MASKED = "***"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("show", "validate"), help="what to do")
    parser.usage = "%(prog)s (show | validate) [options]"
    run_command.add_run_options(parser)
    parser.add_argument("--json", action="store_true", help="show it as JSON")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "validate":
        return _validate(documents_in(Path(), named=named_file(arguments.config)))
    sources = settle_arguments(arguments)
    gates, where = find_gates(arguments.gate, arguments.settings)
    shown = {
        option.name: (_shown(option.name, getattr(arguments, option.dest)), sources[option.dest])
        for option in SETTABLE_OPTIONS
    }
    secrets = dict.fromkeys(sorted(_secret_variables(os.environ)), (MASKED, "environment"))
    rules = [str(gate) if gate.name == str(gate) else f"{gate.name}: {gate}" for gate in gates]
    if arguments.json:
        values = {name: {"value": value, "source": source} for name, (value, source) in {**shown, **secrets}.items()}
        document = {"schema_version": 1, "options": values, "gates": rules, "gates_from": where}
        sys.stdout.write(harmless_json(json.dumps(document, indent=1)) + "\n")
        return 0
    width = max(len(text) for text, _ in shown.values() if len(text) < 40)
    for name, (value, source) in {**shown, **secrets}.items():
        write_line(sys.stdout, f"{name:<18} {value or '-':<{width}}  {source}")
    for rule in rules:
        write_line(sys.stdout, f"{'gate':<18} {rule}  {where}")
    return 0


def _shown(name: str, value: str | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if name == "scoring-uri":
        uris = (Variant(name="", auth_mode=AuthMode.KEY, scoring_uri=uri) for uri in uris_of(value))
        return ",".join(uri.shown_uri for uri in uris)
    return ", ".join(listed(value)) if value.lstrip().startswith("[") else value


def _secret_variables(environment: Mapping[str, str]) -> Iterator[str]:
    numbered = tuple(f"{name}_" for name in SECRET_VARIABLES)
    for name, value in environment.items():
        if value and (name in SECRET_VARIABLES or name.startswith(numbered)):
            yield name


def _validate(documents: tuple[Document, ...]) -> int:
    """Every problem is a line on standard error; none is a line on standard output that says what there is."""
    found = [document for document in documents if document.problems or _holds_anything(document)]
    if not found:
        raise UsageError("no settings here", hint="write bench.toml, or [tool.bench] in pyproject.toml")
    problems = [problem for document in found for problem in (document.problems or _contradictions(document))]
    for problem in problems:
        write_line(sys.stderr, f"error: {problem.describe()}")
    if problems:
        return UsageError.exit_code
    for document in found:
        profiles = f", profiles {', '.join(document.profiles)}" if document.profiles else ""
        write_line(
            sys.stdout, f"{document.name} is right: {len(document.run)} options, {len(document.gates)} gates{profiles}"
        )
    return 0


def _holds_anything(document: Document) -> bool:
    return bool(document.run or document.profiles or document.gates)


def _contradictions(document: Document) -> Iterator[UsageError]:
    """What no line says by itself: options that exclude each other, lists that do not pair, gates nobody can parse."""
    for profile in ("", *document.profiles):
        settings = Settings((document,), profile)
        settled = settle(SETTABLE_OPTIONS, settings.layers())
        values: dict[str, Any] = {name: setting.value for name, setting in settled.items()}
        try:
            find_gates((), settings)
            sides = sides_of(values, default_modes=())
            plan = plan_of(values, target="", variants=(), payload_sha256="")
            open_model, endless = plan.model is WorkloadModel.OPEN, plan.duration_s is None
            read_set(values, variants=sides.names, open_model=open_model, endless=endless)
        except UsageError as exc:
            where = f"{document.name} [profiles.{profile}]" if profile else document.name
            message = exc.message if exc.message.startswith(document.name) else f"{where}: {exc.message}"
            yield UsageError(message, hint=exc.hint)
            if not profile:
                return  # each profile would say the same again
