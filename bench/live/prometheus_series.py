"""The series that Prometheus can read of a run, and their values now. Pure.

`SERIES` is the list of what there is; the page of the guide is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.live.board import Board, lights
from bench.live.rolling import Figures
from bench.live.sketch import Sketch
from bench.live.view import View
from bench.metrics import METRICS, TIME_TO_FIRST_TOKEN

_LIGHTS = {"ok": 0, "doubtful": 1, "bad": 2}

Rows = list[tuple[tuple[str, ...], float | Sketch]]
"""Of one family: the values of its labels, and the number, or a histogram's times."""


@dataclass(frozen=True, slots=True)
class Series:
    """One family: its name, kind, labels and help."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def _help(metric: str) -> str:
    sentence = METRICS[metric].help
    return sentence[0].upper() + sentence[1:]


def _time(metric: str) -> Series:
    return Series(f"bench_{metric}_seconds", "histogram", ("variant",), f"{_help(metric)}; of answers that were ok.")


RESPONSE_TIME, SERVICE_TIME = _time("response_time"), _time("service_time")
FIRST_TOKEN, PER_TOKEN = _time(TIME_TO_FIRST_TOKEN), _time("time_per_output_token")
OUTPUT_TOKENS = Series("bench_output_tokens_total", "counter", ("variant",), f"{_help('output_tokens')}.")
REQUESTS = Series("bench_requests_total", "counter", ("variant", "outcome", "cause"), "Requests that ended, by how.")
REPLAYS = Series("bench_replays_total", "counter", ("variant",), "Requests sent once more with a newer credential.")
IN_FLIGHT = Series("bench_in_flight", "gauge", (), "Requests under way.")
LAG = Series("bench_schedule_lag_seconds", "gauge", (), "How long the oldest arrival is overdue.")
GENERATION = Series("bench_lease_generation", "gauge", ("variant", "auth_mode"), "Number of the credential in use.")
LIFE = Series(
    "bench_lease_life_seconds", "gauge", ("variant", "auth_mode"), "What is left of a credential that expires."
)
FETCHES = Series("bench_credential_fetches_total", "counter", ("variant",), "Credential fetches that ended.")
FETCH_FAILURES = Series(
    "bench_credential_fetch_failures_total", "counter", ("variant",), "Credential fetches that failed."
)
CPU = Series("bench_worker_cpu_ratio", "gauge", ("worker",), "CPU of a worker, as a share of a core.")
LIGHT = Series("bench_light", "gauge", ("light",), "Could the figures be believed now: 0 yes, 1 doubtful, 2 no.")
RUNNING = Series("bench_running", "gauge", (), "1 while a run goes on.")

SERIES = (
    *(REQUESTS, RESPONSE_TIME, SERVICE_TIME, FIRST_TOKEN, PER_TOKEN, OUTPUT_TOKENS, REPLAYS, IN_FLIGHT, LAG),
    *(GENERATION, LIFE, FETCHES, FETCH_FAILURES, CPU, LIGHT, RUNNING),
)


def measured(view: View, board: Board) -> dict[Series, Rows]:
    """Every series, in the order of the list; one of which nothing is known has no rows."""
    found: dict[Series, Rows] = {series: [] for series in SERIES}
    for series, labels, value in (*_of_variants(view), *_of_leases(view), *_of_the_run(view, board)):
        found[series].append((tuple(_text(label) for label in labels), value))
    return found


_Values = Iterator[tuple[Series, tuple[str, ...], float | Sketch]]


def _of_variants(view: View) -> _Values:
    for variant, figures in view["variants"].items():
        whole = figures["whole"]
        for kind, count in whole["outcomes"].items():
            outcome, _, cause = kind.partition(": ")
            yield REQUESTS, (variant, outcome, cause), count
        yield REPLAYS, (variant,), figures["replays"]
        yield RESPONSE_TIME, (variant,), Sketch(whole["response_time"])
        yield SERVICE_TIME, (variant,), Sketch(whole["service_time"])
        yield from _of_streams(variant, whole)


def _of_streams(variant: str, whole: Figures) -> _Values:
    """Only of a variant that streams."""
    if whole["time_to_first_token"]:
        yield FIRST_TOKEN, (variant,), Sketch(whole["time_to_first_token"])
        yield PER_TOKEN, (variant,), Sketch(whole["time_per_output_token"])
        yield OUTPUT_TOKENS, (variant,), whole["output_tokens"]


def _of_leases(view: View) -> _Values:
    for lease in view["leases"]:
        variant, mode = lease["variant"], str(lease["auth_mode"])
        yield GENERATION, (variant, mode), lease["generation"]
        if lease["life_left_s"] is not None:
            yield LIFE, (variant, mode), max(lease["life_left_s"], 0)
        yield FETCHES, (variant,), lease["flights"]
        yield FETCH_FAILURES, (variant,), lease["failures"]


def _of_the_run(view: View, board: Board) -> _Values:
    yield IN_FLIGHT, (), view["in_flight"]
    yield LAG, (), view["lag_ms"] / 1e3
    yield RUNNING, (), board.state == "running"
    for worker, facts in view["workers"].items():
        yield CPU, (worker,), facts["cpu"]
    for one in lights(view, board.recent_mean):
        yield LIGHT, (one["name"],), _LIGHTS[one["state"]]


def _text(label: str) -> str:
    """What can be sent: half a pair of surrogates, which a name from a command line can hold, becomes a `?`."""
    return label.encode("utf-8", "replace").decode()
