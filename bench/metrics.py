"""Every duration, quantile, outcome, cause, unit and verdict once: its name, its title and what it means. Pure table.

Summary keys, gate metrics, report words and the guides' tables come from here; a test holds the guides against it.
A word that is not in this table does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from bench.sample import Cause, Outcome


class Kind(StrEnum):
    """What sort of number a metric is: it decides the units, and how sure a run can be of it."""

    TIME = "time"
    RATE = "rate"
    COUNT = "count"
    THROUGHPUT = "throughput"


UNITS: dict[Kind, dict[str, Fraction]] = {
    Kind.TIME: {"us": Fraction(1, 1000), "ms": Fraction(1), "s": Fraction(1000)},
    Kind.RATE: {"%": Fraction(1, 100)},
    Kind.COUNT: {"": Fraction(1)},
    Kind.THROUGHPUT: {"/s": Fraction(1)},
}
"""Per kind the units a user may write, as multiples of the summary's own: ms, a share of 1, a number, 1/s."""

PRINTED: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
"""The quantiles that are printed and may be gated, by name."""
STATISTICS = (*PRINTED, "mean", "max")
"""What can follow a time; the figures `summary.json` holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A name of the catalogue: how it is titled where people read, and one sentence on what it means."""

    title: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One word a gate can start with. `per_variant` metrics are judged for each variant, others once a run.

    A `deadline` is written in brackets behind the name: `within(250ms)`. `of_flights`: it counts credential fetches.
    """

    name: str
    kind: Kind
    help: str
    per_variant: bool = True
    deadline: bool = False
    of_flights: bool = False

    @property
    def quantiles(self) -> tuple[str, ...]:
        """What must follow the metric: a quantile for a time, nothing for the rest."""
        if self.kind is not Kind.TIME:
            return ()
        return STATISTICS if self.per_variant else STATISTICS[:-1]

    @property
    def selects(self) -> tuple[str, ...]:
        """The labels that may stand in its braces."""
        if not self.per_variant:
            return ()
        return ("variant", *([CLASS] if self.per_class else []), *(SELECTORS if self.name == ERROR_RATE else ()))

    @property
    def per_class(self) -> bool:
        """Whether a run knows it of each class of requests: of requests, and not of what happens between them."""
        known = self.kind is not Kind.TIME or self.name in (*LATENCIES, *STREAM_DURATIONS)
        return self.per_variant and known and not self.of_flights


OVERHEAD = "overhead"
INTER_TOKEN_LATENCY = "inter_token_latency"  # noqa: S105 - a metric
TIME_TO_FIRST_TOKEN = "time_to_first_token"  # noqa: S105 - a metric
FIRST_TOKEN_OVERHEAD = "time_to_first_token_overhead"  # noqa: S105 - a metric
GOODPUT = "goodput"
OVERHEADS: Mapping[str, str] = {OVERHEAD: "response_time", FIRST_TOKEN_OVERHEAD: TIME_TO_FIRST_TOKEN}
"""What each metric of a comparison is the difference of."""
ACHIEVED_RATE = "achieved_rate"
ERROR_RATE = "error_rate"
WITHIN = "within"
CLASS = "class"
"""The label of a kind of request, as a request file or a task names it: `response_time.p99{class=large}`."""
SELECTORS = ("outcome", "cause", "status")
"""What `error_rate` can be narrowed to: `error_rate{cause=no_lease}`."""

DURATIONS: dict[str, Word] = {
    "response_time": Word(
        title="response time", help="from when the request was due to its answer's end: what a caller would have felt"
    ),
    "service_time": Word(title="service time", help="from sending to the answer's end: what the endpoint took"),
    "schedule_lag": Word(title="schedule lag", help="how late the request began, because client or users were busy"),
    "lease_wait": Word(title="wait for a credential", help="how long it waited for a key or token"),
    "server_time": Word(title="server", help="what the endpoint's own header says it took"),
}
"""The durations that are summarised, in the order of the summary."""
STREAM_DURATIONS: dict[str, Word] = {
    TIME_TO_FIRST_TOKEN: Word(
        title="time to first token", help="of a streamed answer: from when the request was due to its first text"
    ),
    "service_time_to_first_token": Word(
        title="first token from sending", help="the same from sending: what the endpoint took for it"
    ),
    "time_to_second_token": Word(
        title="time to second token", help="from the first text of a streamed answer to the next"
    ),
    INTER_TOKEN_LATENCY: Word(
        title="between tokens", help="every gap between two events with text, of all streamed answers"
    ),
    "worst_inter_token_latency": Word(title="worst gap of a request", help="the longest gap of each streamed answer"),
    "time_per_output_token": Word(
        title="per output token", help="from the first text to the last, over the tokens after the first"
    ),
}
"""The durations of streamed answers, in the order of the summary; only a variant that streamed has them."""
OF_GAPS = ("time_to_second_token", INTER_TOKEN_LATENCY, "worst_inter_token_latency")
"""Those that the file of gaps tells."""
OBJECTIVES = (*DURATIONS, *STREAM_DURATIONS)
"""What `--goodput` can ask of a request."""
LATENCIES = ("response_time", "service_time")
"""The two that are shown side by side, with their whole distribution."""

PARTS: dict[str, Word] = {
    "schedule_lag": DURATIONS["schedule_lag"],
    "lease_wait": DURATIONS["lease_wait"],
    "connect": Word(title="connect", help="TCP and TLS handshake, where a connection had to be made"),
    "server_time": DURATIONS["server_time"],
    "service_time": Word(title="service", help="service time that no header splits further"),
    "network": Word(
        title="network", help="one round trip to the first TCP end: a proxy, or Azure's front door; no further"
    ),
    "front_end": Word(
        title="front end and authentication",
        help="service time less connect, server and network: what stands in front of the model, and the way behind it",
    ),
    "rest": Word(
        title="network and front end", help="service time less connect and server, where the round trip is not known"
    ),
}
"""The parts of a response time, in the order in which a request meets them."""

OUTCOMES: dict[str, Word] = {
    Outcome.OK: Word(title="ok", help="a whole answer with a status of 200 to 299"),
    Outcome.AUTH_FAILURE: Word(title="auth failure", help="401 or 403 on scoring, or no credential to send"),
    Outcome.THROTTLED: Word(title="throttled", help="429: too many requests or tokens, or too many waiting"),
    Outcome.TIMED_OUT: Word(title="timed out", help="no whole answer in time: ours ran out, or 408, or 504"),
    Outcome.MODEL_ERROR: Word(title="model error", help="the model or its container failed: 424, 502, its own 500"),
    Outcome.SERVER_ERROR: Word(title="server error", help="any other status of 500 and more"),
    Outcome.TRANSPORT_ERROR: Word(title="transport error", help="no whole answer came: connection, TLS, protocol"),
    Outcome.UNEXPECTED: Word(title="unexpected", help="a status that a scoring request should not get: 3xx, 404, 400"),
}

CAUSES: dict[str, Word] = {
    Cause.EXPIRED: Word(title="credential expired", help="the credential had run out"),
    Cause.REFUSED: Word(title="refused", help="a credential that should have been good was not accepted"),
    Cause.FORBIDDEN: Word(title="not allowed to score", help="the principal is not allowed to score"),
    Cause.NO_LEASE: Word(title="no credential", help="no credential could be had in time"),
    Cause.PENDING: Word(title="too many waiting", help="more requests waited at the endpoint than it takes"),
    Cause.RATE: Word(title="too many a second", help="more requests a second than the endpoint takes"),
    Cause.TOKENS: Word(title="too many tokens a minute", help="more tokens than the endpoint takes, prompts counted"),
    "idle": Word(title="the stream stood still", help="no event of a streamed answer for as long as --idle-timeout"),
    "stream": Word(title="error in the stream", help="the server reported an error in the middle of a streamed answer"),
    "client": Word(title="no answer in time", help="our own time-out ran out, in whatever phase"),
    "model": Word(title="the model took too long", help="the endpoint gave up on the model"),
    "gateway": Word(title="a gateway took too long", help="something in front of the model gave up on it"),
    "closed": Word(title="connection closed", help="the server closed the connection before a whole answer"),
    "cut": Word(title="connection cut", help="the connection ended within the answer"),
    "reset": Word(title="connection reset", help="the server broke the connection off"),
    "dns": Word(title="name not found", help="the host's name has no address"),
    "tls": Word(title="TLS failed", help="no TLS connection, or a certificate that is not valid for the host"),
    "protocol": Word(title="no valid HTTP", help="what came was not HTTP, or against its rules"),
    "unreachable": Word(title="unreachable", help="no way to the host"),
    "no_descriptors": Word(title="client out of file descriptors", help="this client's limit (ulimit -n), not a fault "
                           "of the target"),
    "no_ports": Word(title="client out of ports", help="this client's limit, not a fault of the target"),
    "expectation": Word(title="not as expected", help="an answer that failed --expect, --expect-json or --expect-body"),
    "task": Word(title="failed by its task", help="an answer that a task of the locustfile called no good"),
}  # fmt: skip
_CONNECT_REFUSED = Word(title="connection refused", help="nothing listens there")

_STATUSES: dict[int, str] = {
    408: "the model took too long",
    424: "the model failed",
    429: "throttled",
    502: "the model's container failed",
    504: "a gateway gave up",
}

VERDICTS: dict[str, Word] = {
    "BETTER": Word(title="BETTER", help="faster by more than the difference that matters"),
    "WORSE": Word(title="WORSE", help="slower by more than the difference that matters"),
    "EQUIVALENT": Word(title="EQUIVALENT", help="any difference is too small to matter"),
    "INCONCLUSIVE": Word(title="INCONCLUSIVE", help="the interval is too wide to tell"),
}
TRUST: dict[str, Word] = {
    "TRUSTED": Word(title="TRUSTED", help="the client kept its schedule and lost nothing"),
    "SUSPECT": Word(title="SUSPECT", help="the client may have added to the figures; the reasons say what"),
    "INVALID": Word(title="INVALID", help="nothing can be concluded: the client or the run failed"),
}
GATE_VERDICTS: dict[str, Word] = {
    "PASS": Word(title="PASS", help="what was measured keeps the rule"),
    "FAIL": Word(title="FAIL", help="all of the interval breaks the rule"),
    "INCONCLUSIVE": Word(title="INCONCLUSIVE", help="the figure breaks the rule, its interval does not wholly"),
    "NO_DATA": Word(title="NO_DATA", help="too few requests, or none, to judge by"),
}

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *(Metric(name=name, kind=Kind.TIME, help=word.help) for name, word in DURATIONS.items()),
        *(Metric(name=name, kind=Kind.TIME, help=word.help) for name, word in STREAM_DURATIONS.items()),
        Metric(
            name=OVERHEAD, kind=Kind.TIME, per_variant=False, help="response time of the candidate less the baseline's"
        ),
        Metric(
            name=FIRST_TOKEN_OVERHEAD,
            kind=Kind.TIME,
            per_variant=False,
            help="time to first token of the candidate less the baseline's",
        ),
        Metric(name=ERROR_RATE, kind=Kind.RATE, help="share of the requests whose outcome is not ok"),
        *(
            Metric(name=f"{outcome}_rate", kind=Kind.RATE, help=f"share: {word.help}")
            for outcome, word in OUTCOMES.items()
        ),
        Metric(
            name=WITHIN,
            kind=Kind.RATE,
            deadline=True,
            help="`within(250ms)`: share of the requests answered well so soon after they were due",
        ),
        Metric(name=GOODPUT, kind=Kind.RATE, help="share of the requests that kept every objective of `--goodput`"),
        Metric(
            name=ACHIEVED_RATE, kind=Kind.RATE, per_variant=False, help="requests begun of those that were to be sent"
        ),
        Metric(name="requests", kind=Kind.COUNT, help="requests measured"),
        Metric(name="output_tokens", kind=Kind.COUNT, help="tokens of the streamed answers that ended well"),
        Metric(name="errors", kind=Kind.COUNT, help="requests whose outcome is not ok"),
        Metric(name="auth_failures", kind=Kind.COUNT, help="requests that ended in an auth failure"),
        Metric(name="refreshes", kind=Kind.COUNT, of_flights=True, help="credential fetches after the first"),
        Metric(name="refresh_failures", kind=Kind.COUNT, of_flights=True, help="credential fetches that gave none"),
        Metric(
            name="dropped_arrivals", kind=Kind.COUNT, per_variant=False, help="requests that were due and never began"
        ),
        Metric(name="throughput", kind=Kind.THROUGHPUT, help="requests that ended, a second"),
        Metric(name="output_token_throughput", kind=Kind.THROUGHPUT, help="output tokens a second, of all requests"),
        Metric(
            name="output_token_throughput_per_user",
            kind=Kind.THROUGHPUT,
            help="output tokens a second of one request's time, from its first text to its last",
        ),
        Metric(name="goodput_throughput", kind=Kind.THROUGHPUT, help="requests a second that kept every objective"),
    )
}
"""Every metric by its name, in the order an error message lists them."""


GLOSSARY: dict[str, Mapping[str, Word]] = {
    "Times": {
        **DURATIONS,
        **STREAM_DURATIONS,
        **{name: PARTS[name] for name in ("connect", "network", "front_end", "rest")},
    },
    "Outcomes": OUTCOMES,
    "Causes": CAUSES,
    "Differences": VERDICTS,
    "Trust": TRUST,
    "Gates": GATE_VERDICTS,
}
"""What the report explains at its end."""


def kind_of_failure(outcome: str, cause: str, status: int) -> str:
    """What happened in plain words, short enough for one line: `404 Not Found`, `connection reset`."""
    cut_off = outcome == Outcome.TRANSPORT_ERROR and status
    if status and not cut_off and cause not in ("client", "idle", "stream"):
        return f"{status} {_because(outcome, cause) or _phrase(status)}".rstrip()
    title = _cause(outcome, cause)
    return f"{title}, answer with status {status} cut off" if status else title


def meaning_of_failure(outcome: str, cause: str, status: int) -> str:
    """One sentence more than `kind_of_failure`."""
    if status in _STATUSES and cause not in CAUSES:
        return _STATUSES[status]
    if outcome == Outcome.TRANSPORT_ERROR and cause == Cause.REFUSED:
        return _CONNECT_REFUSED.help
    known = CAUSES.get(cause) or OUTCOMES.get(outcome)
    return known.help if known else ""


def _cause(outcome: str, cause: str) -> str:
    if outcome == Outcome.TRANSPORT_ERROR and cause == Cause.REFUSED:
        return _CONNECT_REFUSED.title
    known = CAUSES.get(cause) or (OUTCOMES.get(outcome) if not cause else None)
    return known.title if known else f"{outcome}: {cause}".replace("_", " ")


def _phrase(status: int) -> str:
    return _PHRASES.get(status, "")


_PHRASES: dict[int, str] = {
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    424: "Failed Dependency",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}
"""Of the IANA registry, those that a scoring request may meet."""


def _because(outcome: str, cause: str) -> str:
    names_cause = cause == "model" or outcome in (Outcome.AUTH_FAILURE, Outcome.THROTTLED)
    return CAUSES[cause].title if names_cause and cause in CAUSES else ""


def metrics_table() -> str:
    """The metrics of a gate as the guide shows them: one markdown row each."""
    rows = []
    for metric in METRICS.values():
        units = " ".join(f"`{unit}`" for unit in UNITS[metric.kind] if unit) or "a number"
        scope = "" if metric.per_variant else "; of the whole run"
        rows.append(f"| `{metric.name}` | {metric.help}{scope} | {units} |")
    return "\n".join(["| metric | what | units |", "|---|---|---|", *rows])


def glossary_table() -> str:
    """Every other word of the catalogue as the guide shows it."""
    rows = [
        f"| {group.lower()} | `{name}` | {word.title} | {word.help} |"
        for group, words in GLOSSARY.items()
        for name, word in words.items()
    ]
    return "\n".join(["| of | word | shown as | meaning |", "|---|---|---|---|", *rows])
