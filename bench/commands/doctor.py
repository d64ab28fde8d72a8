"""Can this principal get the credential, and is the endpoint reachable? A few control-plane calls; no load.

examples:
  bench doctor --endpoint my-endpoint
  bench doctor --emulator --auth-mode aml_token
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import closing
from typing import Any

from bench.arguments import add_options, add_settings_arguments
from bench.credentials.agent.plain import PlainAgent
from bench.credentials.doctor import Check, EndpointTarget, Report, StaticTarget, run_checks
from bench.credentials.patience import Patience
from bench.plain_text import write_line
from bench.plan.options import TARGET_OPTIONS, TIMEOUT_OPTION
from bench.plan.reading import plan_of
from bench.plan.variants import sides_of
from bench.target.client_certificate import ClientCertificate
from bench.target.local_emulator import LocalEmulator
from bench.target.spec import TargetSpec, kind_of, spec_of, static_secret
from bench.target.workspace import find_workspace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser, (*TARGET_OPTIONS, TIMEOUT_OPTION), title="target")
    add_settings_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    values = vars(arguments)
    emulator = LocalEmulator.start(arguments.emulator_options) if kind_of(values) == "emulator" else None
    try:
        spec = spec_of(values, default_modes=(), emulator=emulator)
        ca_file = arguments.ca_file or (emulator.facts["ca_file"] if emulator is not None else "")
        reports = _examine(spec, values, ca_file)
    finally:
        if emulator is not None:
            emulator.stop()
    errors = [report.error for report in reports if report.error is not None]
    if errors:
        write_line(sys.stderr, f"error: {errors[0].describe()}")
    return errors[0].exit_code if errors else 0


def _examine(spec: TargetSpec, values: dict[str, Any], ca_file: str) -> list[Report]:
    client = ClientCertificate.of(values)
    if spec.workspace is None:
        targets: list[EndpointTarget | StaticTarget] = [
            StaticTarget(scoring_uri=uri, secret=static_secret(mode, number), ca_file=ca_file, client=client)
            for uri, mode, number in zip(spec.scoring_uris, spec.auth_modes, spec.secret_numbers, strict=True)
        ]
        return [_show(run_checks(target, _reach)) for target in targets]
    if spec.kind == "endpoint" and spec.workspace.workspace_name:
        place, source = spec.workspace, find_workspace(values).source
        where = f"{place.workspace_name}, resource group {place.resource_group}, subscription {place.subscription_id}"
        _show(Report((Check(name="workspace", detail=f"{where} (from {source})"),)))
    plan = plan_of(values, target="", variants=(), payload_sha256="")
    patience = Patience(timeout_s=plan.start_timeout_s, sleep=time.sleep, say=_say)
    uris = spec.scoring_uris or ("",) * len(spec.endpoints)
    deployments = sides_of(values, default_modes=spec.auth_modes).deployments or ("",) * len(spec.endpoints)
    with closing(PlainAgent(spec.workspace, env=dict(spec.agent_env), sign_in=spec.sign_in)) as agent:
        return [
            _show(
                run_checks(
                    EndpointTarget(
                        agent=agent,
                        endpoint=endpoint,
                        patience=patience,
                        auth_mode=None if spec.own_modes else mode,
                        scoring_uri=uri,
                        deployment=deployment,
                        timeout_s=plan.timeout_s,
                        ca_file=ca_file,
                        client=client,
                    ),
                    _reach,
                )
            )
            for endpoint, mode, uri, deployment in zip(spec.endpoints, spec.auth_modes, uris, deployments, strict=True)
        ]


def _reach(scoring_uri: str, ca_file: str, client: ClientCertificate) -> str:
    from bench.load.wire.reach import reachable_line  # gevent: `--help` does without

    return reachable_line(scoring_uri, ca_file, client)


def _say(line: str) -> None:
    write_line(sys.stderr, line)


def _show(report: Report) -> Report:
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for check in report.checks:
        write_line(sys.stdout, _line(check, colour=colour))
    return report


def _line(check: Check, *, colour: bool) -> str:
    word, code = ("note", 33) if check.is_note else ("ok  ", 32) if check.ok else ("FAIL", 31)
    mark = f"\x1b[{code}m{word}\x1b[0m" if colour else word
    return f"{mark} {check.name}: {check.detail if check.error is None else check.error.message}"
