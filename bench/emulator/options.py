"""The emulator's command line. Edge only in that argparse may end the process; gives `Settings`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.emulator.durations import nanoseconds, seconds
from bench.emulator.roles import ACTIONS, full_action
from bench.emulator.settings import CLOUDS, ModelSettings, Settings, StreamSettings, TokenSettings

_DEFAULTS = Settings()
ENDINGS = ("cut", "error", "hang")


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from `arguments` (default: the process's own). Exits with 2 and one clear line when they are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.refresh_after is not None and given.refresh_after >= given.token_life:
        parser.error("--refresh-after must be shorter than --token-life")
    traffic = tuple(given.traffic or _DEFAULTS.traffic)
    if sum(weight for _, weight in traffic) not in (0, 100):
        parser.error("--traffic must add up to 100, or be 0 throughout")
    names = {name for name, _ in traffic}
    if unknown := [name for name, _ in given.slow_deployment if name not in names]:
        parser.error(f"--slow-deployment: no deployment {unknown[0]} in --traffic")
    return Settings(
        port=given.port,
        cloud=given.cloud,
        traffic=traffic,
        denied=tuple(given.deny),
        denied_score_status=given.denied_score_status,
        model=ModelSettings(
            base_ns=0 if given.service_zero else given.service_base,
            exponential_ns=0 if given.service_zero else given.service_exponential,
            seed=given.seed,
            instances=given.instances,
            max_concurrent_requests=given.max_concurrent_requests,
            request_timeout_ns=given.request_timeout,
            rate_limit=given.rate_limit,
            tokens_per_minute=given.tokens_per_minute,
            response_bytes=given.response_bytes,
            delays_ns=tuple(given.slow_deployment),
            stream=StreamSettings(
                first_base_ns=given.first_token_base,
                first_exponential_ns=given.first_token_exponential,
                gap_base_ns=given.token_gap_base,
                gap_exponential_ns=given.token_gap_exponential,
                tokens=given.stream_tokens,
                faults=tuple(given.stream_fault),
            ),
        ),
        tokens=TokenSettings(
            aml_life_s=given.token_life,
            aml_refresh_after_s=given.token_life / 2 if given.refresh_after is None else given.refresh_after,
            aad_life_s=given.aad_token_life,
            arm_life_s=given.arm_token_life,
            validation_delay_ns=given.token_validation_delay,
        ),
        tls=given.tls,
        faults=given.faults,
        hold_faults=given.hold_faults,
        truth=given.truth,
        log=given.log,
        json_line=given.json,
        arm_throttling=given.arm_throttling,
        die_with_parent=given.die_with_parent,
        busy_poll=given.busy_poll,
    )


def _parser() -> argparse.ArgumentParser:
    model, tokens = _DEFAULTS.model, _DEFAULTS.tokens
    parser = argparse.ArgumentParser(
        prog="bench emulator",
        description="An Azure ML workspace on loopback with three online endpoints, one an auth mode, the same model "
        "behind each. Durations are seconds or carry a unit: 500ms, 30s, 2m.",
    )
    where = parser.add_argument_group("where")
    where.add_argument("--port", type=_port, default=0, metavar="N", help="first of 11 ports (default 0: any free)")
    where.add_argument("--tls", action="store_true", help="have the control plane tell the https scoring URIs")
    where.add_argument("--json", action="store_true", help="print one JSON line when ready, and nothing else")
    where.add_argument(
        "--die-with-parent",
        metavar="PID",
        nargs="?",
        type=_positive,
        const=0,
        help="stop when the process that started it is gone; with its number, at once where the system can say so",
    )
    where.add_argument("--busy-poll", action="store_true", help="never sleep: truest times, at the price of a core")

    service = parser.add_argument_group("the model")
    _duration_ns(service, "--service-base", model.base_ns, "the shortest service time")
    _duration_ns(service, "--service-exponential", model.exponential_ns, "mean of the exponential part on top")
    service.add_argument("--service-zero", action="store_true", help="answer at once")
    service.add_argument("--seed", type=int, default=model.seed, help="of service times and traffic (default 1)")
    service.add_argument(
        "--instances",
        type=_positive,
        default=model.instances,
        metavar="N",
        help="of each deployment (default %(default)s)",
    )
    service.add_argument(
        "--max-concurrent-requests",
        type=_positive,
        default=model.max_concurrent_requests,
        metavar="N",
        help="per instance; 2 x this x instances may be pending, then 429 (default %(default)s)",
    )
    _duration_ns(service, "--request-timeout", model.request_timeout_ns, "a longer service time is answered 408")
    service.add_argument("--rate-limit", type=int, default=0, metavar="N", help="requests/s an endpoint, then 429")
    service.add_argument("--response-bytes", type=int, default=0, metavar="N", help="pad the answer by so much")
    service.add_argument(
        "--traffic", type=_weight, nargs="+", metavar="NAME=PERCENT", help="deployments (default blue=100)"
    )
    service.add_argument(
        "--slow-deployment", type=_slow, nargs="+", default=[], metavar="NAME=DURATION", help="add to its service time"
    )

    stream = model.stream
    streams = parser.add_argument_group("streamed answers", 'to a body with "stream": true, in OpenAI\'s form')
    _duration_ns(streams, "--first-token-base", stream.first_base_ns, "the soonest that a first token comes")
    _duration_ns(streams, "--first-token-exponential", stream.first_exponential_ns, "mean of the exponential on top")
    _duration_ns(streams, "--token-gap-base", stream.gap_base_ns, "the shortest gap between two tokens")
    _duration_ns(streams, "--token-gap-exponential", stream.gap_exponential_ns, "mean of the exponential on top")
    streams.add_argument(
        "--stream-tokens",
        type=_positive,
        default=stream.tokens,
        metavar="N",
        help="tokens of an answer whose request has no max_tokens (default %(default)s)",
    )
    streams.add_argument(
        "--tokens-per-minute",
        type=_positive,
        default=0,
        metavar="N",
        help="an endpoint's budget, words of the prompt and tokens asked for; then 429 as Azure OpenAI answers",
    )
    streams.add_argument(
        "--stream-fault",
        type=_stream_fault,
        nargs="+",
        default=[],
        metavar="NAME=PERCENT",
        help="streams that end badly after some token: cut, error (of the model, in the stream), hang",
    )

    access = parser.add_argument_group("credentials")
    access.add_argument(
        "--cloud",
        choices=tuple(CLOUDS),
        default=_DEFAULTS.cloud,
        help="whose audiences it takes tokens for (default %(default)s)",
    )
    _duration_s(access, "--token-life", tokens.aml_life_s, "life of an aml_token")
    access.add_argument(
        "--refresh-after", type=_life, metavar="DURATION", help="of an aml_token (default: half its life)"
    )
    _duration_s(access, "--aad-token-life", tokens.aad_life_s, "life of an Entra token for scoring")
    _duration_s(access, "--arm-token-life", tokens.arm_life_s, "life of an Entra token for the control plane")
    _duration_ns(access, "--token-validation-delay", 0, "added to every request in the two token modes")
    access.add_argument(
        "--deny",
        type=_action,
        action="append",
        default=[],
        metavar="ACTION",
        help=f"a role action the principals lack; repeatable: {', '.join(ACTIONS)}",
    )
    access.add_argument(
        "--arm-throttling",
        action="store_true",
        help="limit the control plane as Azure does: reads 250 + 25/s, writes 200 + 10/s a principal, then 429",
    )
    access.add_argument(
        "--denied-score-status",
        type=int,
        choices=(401, 403),
        default=401,
        help="for an Entra token without score/action (default 401)",
    )

    files = parser.add_argument_group("files")
    files.add_argument("--faults", type=Path, metavar="FILE", help="fault script, JSON or YAML")
    files.add_argument("--hold-faults", action="store_true", help="faults with an `at` wait for POST /admin/start")
    files.add_argument("--truth", type=Path, metavar="FILE", help="write the true times of every scored request")
    files.add_argument("--log", type=Path, metavar="FILE", help="control-plane request log (default: a folder in /tmp)")
    return parser


def _duration_ns(group: argparse._ArgumentGroup, name: str, default_ns: int, text: str) -> None:
    group.add_argument(
        name,
        type=_wait,
        default=default_ns,
        metavar="DURATION",
        help=f"{text} (default {default_ns / 1e6:g}ms)",
    )


def _duration_s(group: argparse._ArgumentGroup, name: str, default_s: float, text: str) -> None:
    group.add_argument(name, type=_life, default=default_s, metavar="DURATION", help=f"{text} (default {default_s:g}s)")


def _wait(text: str) -> int:
    try:
        duration_ns = nanoseconds(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
    if duration_ns < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return duration_ns


def _life(text: str) -> float:
    try:
        duration_s = seconds(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
    if duration_s < 1:
        raise argparse.ArgumentTypeError("must be 1s or more: Azure tells token times in whole seconds")
    return duration_s


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65525:
        raise argparse.ArgumentTypeError(f"{text} is no port (0 to 65525)")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return int(text)


def _weight(text: str) -> tuple[str, int]:
    name, _, percent = text.partition("=")
    if not name or not percent.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=PERCENT")
    return name, int(percent)


def _stream_fault(text: str) -> tuple[str, int]:
    name, percent = _weight(text)
    if name not in ENDINGS or percent > 100:
        raise argparse.ArgumentTypeError(f"{text} is not one of {', '.join(ENDINGS)} with a percentage")
    return name, percent


def _slow(text: str) -> tuple[str, int]:
    name, _, duration = text.partition("=")
    return name, _wait(duration)


def _action(text: str) -> str:
    try:
        return full_action(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
