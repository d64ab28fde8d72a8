"""Who the principal is, and what credential it gets: mode, validity, next refresh. Never the secret, unless asked.

examples:
  bench credentials --endpoint my-endpoint
  curl -H "Authorization: Bearer $(bench credentials --endpoint my-endpoint --show-secret)" ...
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from bench import clock
from bench.arguments import add_options, add_settings_arguments
from bench.errors import UsageError
from bench.plain_text import write_line
from bench.plan.options import TARGET_OPTIONS
from bench.plan.reading import plan_of
from bench.target.spec import TargetSpec, kind_of, spec_of

if TYPE_CHECKING:
    from bench.credentials import Grant


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser, TARGET_OPTIONS, title="target")
    add_settings_arguments(parser)
    parser.add_argument("--show-secret", action="store_true", help="print the secret, and nothing else, on stdout")


def run(arguments: argparse.Namespace) -> int:
    from bench.target.local_emulator import LocalEmulator

    values = vars(arguments)
    kind = kind_of(values)
    if kind == "scoring_uri":
        raise UsageError(
            "a bare scoring URI has no credential of its own", hint="you gave it, in BENCH_KEY or BENCH_TOKEN"
        )
    emulator = LocalEmulator.start(arguments.emulator_options) if kind == "emulator" else None
    try:
        spec = spec_of(values, default_modes=(), emulator=emulator)
        start_timeout_s = plan_of(values, target="", variants=(), payload_sha256="").start_timeout_s
        return _show(spec, secret=arguments.show_secret, start_timeout_s=start_timeout_s)
    finally:
        if emulator is not None:
            emulator.stop()


def _show(spec: TargetSpec, *, secret: bool, start_timeout_s: float) -> int:
    from bench.credentials import Failure, PlainAgent
    from bench.credentials.patience import Patience

    assert spec.workspace is not None  # noqa: S101 - only a bare URI has none
    ask = Patience(timeout_s=start_timeout_s, sleep=time.sleep, say=_say).ask
    with closing(PlainAgent(spec.workspace, env=dict(spec.agent_env), sign_in=spec.sign_in)) as agent:
        if not secret and spec.workspace.workspace_name:
            claims = ask(agent.asked_by)
            if isinstance(claims, Failure):
                raise claims.error()
            who = claims.get("upn") or claims.get("name") or claims.get("appid", "unknown")
            write_line(sys.stdout, f"principal: {who}, object id {claims.get('oid', 'unknown')}")
        for endpoint, mode in zip(spec.endpoints, spec.auth_modes, strict=True):
            wanted = None if spec.own_modes else mode
            granted = ask(partial(agent.fetch, endpoint, wanted, reads=spec.reads_endpoints))
            if isinstance(granted, Failure):
                raise granted.error()
            if secret:
                sys.stdout.write(f"{granted.secrets[0]}\n")  # to the letter, for a program
            else:
                write_line(sys.stdout, f"{endpoint}: {_line(granted)}")
    return 0


def _say(line: str) -> None:
    write_line(sys.stderr, line)


def _line(granted: Grant) -> str:
    """`aml_token, generation 1, 3,589 s of life left, next refresh in 1,789 s`."""
    from bench.credentials import NEVER_NS

    parts = [granted.auth_mode.value, "generation 1"]
    now_ns, valid = clock.monotonic_ns(), granted.valid
    if valid.expires_at == NEVER_NS:
        parts.append("does not expire")
    else:
        parts.append(f"{(valid.expires_at - now_ns) / 1e9:,.0f} s of life left")
        parts.append(f"next refresh in {(valid.refresh_after - now_ns) / 1e9:,.0f} s")
    return ", ".join(parts)
