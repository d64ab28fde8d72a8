"""A run's options, in one table that feeds both the `bench` commands and Locust's own parser. Pure.

Every option is text until `reading.plan_of` reads it, so that a command line, an environment variable and a field of
the web form are read by the same code and complain in the same words.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.plan.prompt_plan import DEFAULT_PROMPTS
from bench.plan.request_plan import DEFAULT_METHOD, METHODS, listed
from bench.plan.run_plan import (
    ARRIVALS,
    DEFAULT_DURATION_S,
    DEFAULT_MIN_EFFECT_MS,
    DEFAULT_START_TIMEOUT_S,
    DEFAULT_TIMEOUT_S,
    DEFAULT_USERS,
    DEFAULT_WARM_UP_S,
)

MOST_USERS = 100_000
MOST_PROCESSES = 64
MOST_PER_S = 1_000_000.0
MOST_SPEED = 1_000_000.0
LONGEST_S = 30 * 86_400.0
"""Beyond these it is a slip of the hand: no machine has the ports, no run lasts a month."""

SECRET_VARIABLES = ("BENCH_KEY", "BENCH_TOKEN", "BENCH_RELAY_KEY", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD")
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
        help="conversations, one a line of a .jsonl file: messages or turns, max_tokens; asks for a stream with usage",
    ),
    Option(
        name="prompt-tokens",
        from_browser=True,
        metavar="LENGTH",
        help="make chat prompts of so many tokens: 512, 100..800, normal(512, 100), lognormal(512, 300, 16..4096)",
    ),
    Option(
        name="output-tokens", from_browser=True, metavar="LENGTH", help="max_tokens of those prompts, in the same words"
    ),
    Option(
        name="shared-prefix",
        from_browser=True,
        metavar="TOKENS",
        help="begin all those prompts with the same tokens, beside their own",
    ),
    Option(
        name="prompts",
        from_browser=True,
        metavar="N",
        help=f"how many different prompts to make (else {DEFAULT_PROMPTS:,})",
    ),
    Option(
        name="tokenizer",
        metavar="FILE",
        help="a tokenizer.json to count their tokens with (else a word counts as a token)",
    ),
    Option(
        name="turns",
        from_browser=True,
        metavar="N",
        help="turns of each made conversation: 3, 1..5; each carries the answers so far",
    ),
    Option(
        name="think-time",
        from_browser=True,
        metavar="TIME",
        help="how long a user waits between an answer and the conversation's next turn",
    ),
    Option(
        name="chat-fields",
        metavar="JSON",
        help='further fields of every chat body, as \'{"model": "m", "temperature": 0}\'',
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
    Option(
        name="traceparent",
        metavar="SHARE",
        help="send a W3C traceparent with every request; that share of them (0 to 1, or 5%) is marked as sampled",
    ),
)
OUTPUT_OPTIONS = (
    Option(name="out", metavar="DIR", default="results", help="folder that gets the run's folder"),
    Option(
        name="prometheus-port", metavar="N", help="serve the run's live figures to Prometheus on this loopback port"
    ),
    Option(
        name="otlp-endpoint",
        metavar="URL",
        help="send the run's live figures to this OpenTelemetry collector (OTLP over HTTP), every 10 s",
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
SET_OPTIONS = (
    Option(name="runs", metavar="N", help="make N runs, with intervals between runs (--until: at most N; 0: one run)"),
    Option(name="pause", metavar="TIME", help="wait so long between two runs"),
    Option(
        name="until",
        metavar="PRECISION",
        help="go on run after run until a figure is known so well: 'overhead.p50 +- 0.1ms'",
    ),
    Option(name="confirm", switch=True, help="when a gate fails, run again: exit 10 only when it fails again"),
    Option(name="history", metavar="DIR", help="add what was measured to the history in DIR, or mlflow:EXPERIMENT"),
)
LOCUSTFILE_OPTION = Option(name="locustfile", metavar="FILE", help="your own locustfile with a ScoringUser")
SETTABLE_OPTIONS = (*RUN_OPTIONS, *JUDGING_OPTIONS, *ENDING_OPTIONS, *SET_OPTIONS, LOCUSTFILE_OPTION)
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


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a child process that needs no secret of the harness."""
    numbered = tuple(f"{name}_" for name in SECRET_VARIABLES)
    return {
        name: value
        for name, value in environment.items()
        if name not in SECRET_VARIABLES and not name.startswith(numbered)
    }
