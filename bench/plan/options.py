"""A run's options, in one table that feeds both the `bench` commands and Locust's own parser. Pure.

Every option is text until `plan_of` reads it, so that a command line, an environment variable and a field
of the web form are read by the same code and complain in the same words.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.objectives import parse_objectives
from bench.plan.request_plan import DEFAULT_METHOD, METHODS, listed, request_plan_of
from bench.plan.run_plan import (
    ARRIVALS,
    DEFAULT_AUTO_WARM_UP_S,
    DEFAULT_DURATION_S,
    DEFAULT_MIN_EFFECT_MS,
    DEFAULT_START_TIMEOUT_S,
    DEFAULT_TIMEOUT_S,
    DEFAULT_USERS,
    DEFAULT_WARM_UP_S,
    LEAST_AUTO_WARM_UP_S,
    RunPlan,
    Variant,
    is_auto,
    parse_duration_s,
    parse_stages,
)

MOST_USERS = 100_000
MOST_PROCESSES = 64
MOST_PER_S = 1_000_000.0
MOST_SPEED = 1_000_000.0
LONGEST_S = 30 * 86_400.0
"""Beyond these it is a slip of the hand: no machine has the ports, no run lasts a month."""

SECRET_VARIABLES = ("BENCH_KEY", "BENCH_TOKEN", "BENCH_RELAY_KEY")
"""Never options, for the process list would show them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. `env` can give it too; `locust` is the name of Locust's own option for the same thing.

    `repeat`: it may be given several times; the values are one text, a JSON list (see `listed`). `listed`: its text may
    be several, comma-separated.

    `from_browser`: a number or a choice of the load, which the web UI's form shows and may set. What names a target, a
    file or a program's options may not, unless Locust was started with --allow-from-browser.
    """

    name: str
    help: str
    metavar: str = "TEXT"
    default: str = ""
    choices: tuple[str, ...] = ()
    switch: bool = False
    repeat: bool = False
    listed: bool = False
    from_browser: bool = False
    locust: str = ""

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def dest(self) -> str:
        return self.name.replace("-", "_")

    @property
    def env(self) -> str:
        return f"BENCH_{self.dest.upper()}"


class Repeated(argparse.Action):
    """Gathers the values of an option that is given several times."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        before = listed(str(getattr(namespace, self.dest, "") or ""))
        given: Sequence[str] = listed(values) if isinstance(values, str) else values
        setattr(namespace, self.dest, json.dumps([*before, *given]))


TARGET_OPTIONS = (
    Option(name="emulator", switch=True, help="start the emulator that comes with this tool, and measure that"),
    Option(name="emulator-options", help="options for that emulator, as `bench emulator` takes them"),
    Option(
        name="endpoint",
        metavar="NAME",
        listed=True,
        help="online endpoint, or serverless/NAME; several, comma-separated, to compare them",
    ),
    Option(name="subscription-id", metavar="ID", help="Azure subscription (else config.json of the workspace)"),
    Option(name="resource-group", metavar="NAME", help="resource group (else config.json)"),
    Option(name="workspace", metavar="NAME", help="Azure ML workspace (else config.json)"),
    Option(
        name="scoring-uri",
        listed=True,
        metavar="URI",
        help="any scoring URI, with a secret from BENCH_KEY or BENCH_TOKEN; several to compare them; with --endpoint"
        " nothing is read from Azure",
    ),
    Option(
        name="auth-mode",
        listed=True,
        metavar="MODE",
        help="key, aml_token or aad_token (else the endpoint's own); two, comma-separated, to compare them",
    ),
    Option(
        name="deployment",
        listed=True,
        metavar="NAME",
        help="pin a deployment, past the traffic weights; several, comma-separated, to compare them",
    ),
    Option(name="ca-file", metavar="PEM", help="certificate authorities to trust beside the system's"),
    Option(
        name="client-cert",
        metavar="PEM",
        help="certificate to show to a server that asks for one (mTLS), as an ingress of Kubernetes may",
    ),
    Option(name="client-key", metavar="PEM", help="its private key, not encrypted (else it is in the same file)"),
    Option(name="cloud", metavar="NAME", help="AzureCloud (default), AzureUSGovernment or AzureChinaCloud"),
    Option(name="tenant-id", metavar="ID", help="tenant to sign in to (else the one of `az`, or AZURE_TENANT_ID)"),
    Option(name="client-id", metavar="ID", help="which managed identity or application to sign in as"),
    Option(name="sign-in-timeout", metavar="TIME", default="10s", help="how long az, azd or pwsh may take"),
    Option(
        name="start-timeout",
        metavar="TIME",
        default=f"{DEFAULT_START_TIMEOUT_S:g}s",
        help="how long to ask Azure again before the run, while it or the sign-in is in trouble",
    ),
)
TIMEOUT_OPTION = Option(
    name="timeout",
    from_browser=True,
    metavar="TIME",
    default=f"{DEFAULT_TIMEOUT_S:g}s",
    help="total deadline of a request",
)
LOAD_OPTIONS = (
    Option(
        name="arrival-rate",
        from_browser=True,
        metavar="N",
        help="requests due per second (open model); without it users go back to back",
    ),
    Option(name="arrivals", from_browser=True, default=ARRIVALS[0], choices=ARRIVALS, help="spacing of the arrivals"),
    Option(
        name="stages",
        listed=True,
        from_browser=True,
        help="rate over time instead: 30s@100 a step, 1m@100..1000 a ramp, comma-separated",
    ),
    Option(
        name="users",
        from_browser=True,
        metavar="N",
        default=str(DEFAULT_USERS),
        help="users: the cap on requests in flight; each belongs to one variant, dealt evenly",
        locust="num_users",
    ),
    Option(
        name="duration",
        from_browser=True,
        metavar="TIME",
        default=f"{DEFAULT_DURATION_S:g}s",
        help="judged part of the run; 0 for no end",
    ),
    Option(
        name="warm-up",
        from_browser=True,
        metavar="TIME",
        default=f"{DEFAULT_WARM_UP_S:g}s",
        help="first part, recorded but not judged; auto, or auto:2m at most, until service time has settled",
    ),
    Option(
        name="arrivals-from",
        metavar="FILE",
        help="replay recorded arrivals instead: a CSV file of seconds since the start (a request file has its at_s)",
    ),
    Option(name="speed", from_browser=True, metavar="N", default="1", help="replay a trace that many times as fast"),
    TIMEOUT_OPTION,
    Option(
        name="idle-timeout",
        from_browser=True,
        metavar="TIME",
        default="0",
        help="how long a streamed answer may stand still between two events; 0: as long as --timeout lets it",
    ),
    Option(
        name="seed", from_browser=True, metavar="N", default="0", help="seed of the schedule and of the payload's order"
    ),
    Option(name="processes", metavar="N", default="1", help="worker processes", locust="processes"),
)
REQUEST_OPTIONS = (
    Option(
        name="payload",
        metavar="FILE",
        help="the body: a file of any kind; one a line of a .jsonl file; a folder of files",
    ),
    Option(
        name="requests",
        metavar="FILE",
        help="whole requests, one a line of a .jsonl file: bodies, headers, paths, classes, weights, times",
    ),
    Option(
        name="chat",
        metavar="FILE",
        help="conversations, one a line of a .jsonl file: messages, max_tokens; asks for a streamed answer with usage",
    ),
    Option(name="content-type", metavar="TYPE", help="of every body (else what a file's name says)"),
    Option(name="header", metavar="'NAME: VALUE'", repeat=True, help="a further header; give it again for more"),
    Option(
        name="header-env",
        metavar="NAME=VARIABLE",
        repeat=True,
        help="a header whose value, a secret, is in that environment variable; give it again for more",
    ),
    Option(name="path", metavar="PATH", help="another route of the same server, as /v2/models/m/infer"),
    Option(name="method", default=DEFAULT_METHOD, choices=METHODS, help="of every request"),
    Option(
        name="expect",
        metavar="CHECK",
        repeat=True,
        help="what an answer must be to count as ok: status==200, bytes>=10",
    ),
    Option(
        name="expect-json",
        metavar="PATH",
        repeat=True,
        help="what must be in its JSON: $.predictions, !$.error, '$.model == \"m\"'",
    ),
    Option(name="expect-body", metavar="REGEX", repeat=True, help="what must be found in its body"),
)
OUTPUT_OPTIONS = (
    Option(name="out", metavar="DIR", default="results", help="folder that gets the run's folder"),
    Option(
        name="prometheus-port", metavar="N", help="serve the run's live figures to Prometheus on this loopback port"
    ),
    Option(name="live", switch=True, help="serve the live page of a headless run on a free loopback port"),
    Option(name="live-port", metavar="N", help="the same, on this port"),
    Option(
        name="goodput",
        metavar="OBJECTIVE",
        repeat=True,
        help="what a request must keep to be good: 'time_to_first_token < 500ms'; give it again for more",
    ),
    Option(
        name="min-effect",
        from_browser=True,
        metavar="TIME",
        default=f"{DEFAULT_MIN_EFFECT_MS:g}ms",
        help="smallest difference that matters in a comparison",
    ),
)
RUN_OPTIONS = TARGET_OPTIONS + LOAD_OPTIONS + REQUEST_OPTIONS + OUTPUT_OPTIONS
BASELINE_MAY_DIFFER = ("deployment", "machine")
"""What a person may declare to make no difference: blue's baseline for green."""
JUDGING_OPTIONS = (
    Option(name="baseline", metavar="NAME", help="accepted baseline that gates may compare with"),
    Option(
        name="baseline-allows",
        metavar="WHAT",
        repeat=True,
        choices=BASELINE_MAY_DIFFER,
        help=f"what may differ from the baseline ({', '.join(BASELINE_MAY_DIFFER)})",
    ),
)
ENDING_OPTIONS = (
    Option(name="extend-up-to", metavar="TIME", help="go on with an undecided run until its gates are, or this long"),
    Option(name="abort-on-fail", switch=True, help="end a run early whose gates have failed beyond recovery"),
)
LOCUSTFILE_OPTION = Option(name="locustfile", metavar="FILE", help="your own locustfile with a ScoringUser")
SETTABLE_OPTIONS = (*RUN_OPTIONS, *JUDGING_OPTIONS, *ENDING_OPTIONS, LOCUSTFILE_OPTION)
"""All that `bench run` takes from an environment variable or from `bench.toml`. Its gates have a table of their own."""
WEB_UI_OPTIONS = (
    Option(
        name="allow-from-browser",
        switch=True,
        help="let the web UI's form set everything: targets, files, folders, the emulator's options",
    ),
    Option(
        name="web-allow-host",
        metavar="NAMES",
        help="host names, comma-separated, by which the web UI may be called beside loopback and --web-host",
    ),
)
"""For `locust -f` with a web UI only."""


def auth_modes_of(text: str, *, default: tuple[AuthMode, ...]) -> tuple[AuthMode, ...]:
    """`key,aml_token` to modes; empty gives `default`."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in list(AuthMode)]
    if unknown:
        raise UsageError(f"--auth-mode: {unknown[0]!r} is no auth mode", hint=f"there are {', '.join(AuthMode)}")
    return tuple(AuthMode(word) for word in words) or default


def words_of(text: str) -> tuple[str, ...]:
    """The words of a comma-separated option."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a child process that needs no secret of the harness."""
    numbered = tuple(f"{name}_" for name in SECRET_VARIABLES)
    return {
        name: value
        for name, value in environment.items()
        if name not in SECRET_VARIABLES and not name.startswith(numbered)
    }


def is_on(value: Any) -> bool:
    """A switch from a command line (bool), an environment variable or a form (text)."""
    return value is True or str(value).strip().lower() in {"1", "true", "yes", "on"}


def plan_of(values: Mapping[str, Any], *, target: str, variants: tuple[Variant, ...], payload_sha256: str) -> RunPlan:
    """The plan that option values ask for. UsageError names the option that cannot be read."""
    text = {
        name: "" if value is None else str(value).strip()
        for name, value in values.items()
        if not isinstance(value, bool)
    }
    arrival_rate = _number(text, "arrival-rate", most=MOST_PER_S) if text.get("arrival_rate") else None
    stages = parse_stages(text["stages"]) if text.get("stages") else ()
    if stages and arrival_rate is not None:
        raise UsageError("--arrival-rate and --stages exclude each other", hint="give one of them")
    arrivals_from = text.get("arrivals_from", "")
    if arrivals_from and (stages or arrival_rate is not None):
        raise UsageError("--arrivals-from has its own rate", hint="leave --arrival-rate and --stages out")
    arrivals = text.get("arrivals") or ARRIVALS[0]
    if arrivals not in ARRIVALS:
        raise UsageError(f"--arrivals: {arrivals!r} is not one of {', '.join(ARRIVALS)}")
    if any(max(stage.start_rate, stage.end_rate) > MOST_PER_S for stage in stages):
        raise UsageError("--stages: a rate is too high", hint=f"at most {MOST_PER_S:g}/s")
    warm_up_s, warm_up_auto = _warm_up(text)
    if warm_up_auto and (stages or arrivals_from):
        raise UsageError("--warm-up auto is for one rate: a load that changes does not settle", hint="give a time")
    duration_s: float | None = _duration(text, "duration", default_s=DEFAULT_DURATION_S)
    if stages:
        total_s = math.fsum(stage.duration_s for stage in stages)
        if warm_up_s >= total_s:
            raise UsageError(f"--warm-up {warm_up_s:g}s is not shorter than the stages ({total_s:g}s)")
        duration_s = total_s - warm_up_s
    timeout_s = _duration(text, "timeout", default_s=DEFAULT_TIMEOUT_S)
    if timeout_s <= 0:
        raise UsageError("--timeout must be above 0", hint="write 10s")
    processes = _whole(text, "processes", least=1, most=MOST_PROCESSES, default=1)
    users = _whole(text, "users", least=1, most=MOST_USERS, default=DEFAULT_USERS)
    if users < (least := max(len(variants), 1) * processes):
        each = "each variant" if processes == 1 else f"each of {len(variants) or 1} variants in {processes} processes"
        raise UsageError(f"--users {users} are fewer than one for {each}", hint=f"give at least {least}")
    return RunPlan(
        target=target,
        variants=variants,
        users=users,
        arrival_rate=arrival_rate,
        arrivals=arrivals,
        stages=stages,
        duration_s=duration_s or None,
        warm_up_s=warm_up_s,
        warm_up_auto=warm_up_auto,
        timeout_s=timeout_s,
        idle_timeout_s=_duration(text, "idle-timeout", default_s=0.0),
        payload=text.get("payload", ""),
        payload_sha256=payload_sha256,
        deployment=_header_word(text.get("deployment", "")),
        ca_file=text.get("ca_file", ""),
        client_cert=text.get("client_cert", ""),
        client_key=text.get("client_key", ""),
        min_effect_ms=min_effect_ms_of(text.get("min_effect") or f"{DEFAULT_MIN_EFFECT_MS}ms"),
        seed=_whole(text, "seed", least=0, most=1 << 63, default=0),
        processes=processes,
        start_timeout_s=_duration(text, "start-timeout", default_s=DEFAULT_START_TIMEOUT_S),
        arrivals_from=arrivals_from,
        speed=_number({"speed": text.get("speed") or "1"}, "speed", most=MOST_SPEED),
        request=request_plan_of(text),
        goodput=tuple(one.text for one in parse_objectives(listed(text.get("goodput", "")))),
    )


def min_effect_ms_of(text: str) -> float:
    """The smallest difference that matters, in ms. Any difference would matter at 0: UsageError."""
    least_ms = parse_duration_s(text, option="--min-effect") * 1000
    if least_ms <= 0:
        raise UsageError("--min-effect must be above 0", hint="write 0.5ms")
    return least_ms


def _number(text: Mapping[str, str], name: str, *, most: float) -> float:
    """A number above 0."""
    word = text[name.replace("-", "_")]
    try:
        value = float(word)
    except ValueError as exc:
        raise UsageError(f"--{name}: {word!r} is not a number") from exc
    if not value > 0:
        raise UsageError(f"--{name}: {word} is too small", hint="above 0")
    if value > most:
        raise UsageError(f"--{name}: {word} is too large", hint=f"at most {most:,.0f}")
    return value


def _whole(text: Mapping[str, str], name: str, *, least: int, most: int, default: int) -> int:
    word = text.get(name) or str(default)
    try:
        value = int(word)
    except ValueError as exc:
        raise UsageError(f"--{name}: {word!r} is not a whole number") from exc
    if value < least:
        raise UsageError(f"--{name}: {word} is too small", hint=f"at least {least}")
    if value > most:
        raise UsageError(f"--{name}: {word} is too large", hint=f"at most {most:,}")
    return value


def _warm_up(text: Mapping[str, str]) -> tuple[float, bool]:
    """How long at most, and whether it ends as soon as service time has settled."""
    _, colon, bound = text.get("warm_up", "").partition(":")
    if not is_auto(text.get("warm_up")):
        return _duration(text, "warm-up", default_s=DEFAULT_WARM_UP_S), False
    if colon and not bound.strip():
        raise UsageError("--warm-up auto: does not say how long at most", hint="write auto, or auto:2m")
    at_most_s = _duration({"warm_up": bound}, "warm-up", default_s=DEFAULT_AUTO_WARM_UP_S)
    within(at_most_s, "warm-up auto, in seconds", least=LEAST_AUTO_WARM_UP_S, most=LONGEST_S)
    return at_most_s, True


def _duration(text: Mapping[str, str], name: str, *, default_s: float) -> float:
    value_s = parse_duration_s(text.get(name.replace("-", "_")) or f"{default_s}", option=f"--{name}")
    if value_s > LONGEST_S:
        raise UsageError(f"--{name}: {value_s:g} s is too long", hint=f"at most {LONGEST_S / 3600:g}h")
    return value_s


def within(value: float, name: str, *, least: float, most: float) -> None:
    """UsageError unless a number of a command's own option is one that the command can work with."""
    if not least <= value <= most:
        raise UsageError(f"--{name}: {value:g} is not between {least:,.9g} and {most:,.9g}")


def _header_word(text: str) -> str:
    if any(not "!" <= character <= "~" for character in text):
        raise UsageError(f"--deployment: {text!r} cannot be a deployment's name", hint="letters, digits and hyphens")
    return text
