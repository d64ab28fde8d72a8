"""One scoring request's record, and the words that its columns hold. Pure noun.

The columns below are the layout of `samples/<worker>.arrows`; every statistic is a later fold over
them. All times are integer nanoseconds since the run's start on the monotonic clock of the worker's
host; `NO_TIME` stands for "never happened".

    intended <= began <= sent <= first_byte <= done
    schedule_lag  = began - intended        the harness or its users were busy
    lease_wait    = sent - began            the wait for a credential
    service_time  = done - sent             what the endpoint (and a connect, if one was needed) took
    response_time = done - intended         what a caller who did not wait would have felt
"""

from __future__ import annotations

from enum import StrEnum

NO_TIME = -1


class Phase(StrEnum):
    """Whether a sample counts: the warm-up is recorded and left out of every figure."""

    WARM_UP = "warm_up"
    MEASURE = "measure"


class WorkloadModel(StrEnum):
    """Who decides when the next request is due: a schedule (open) or the last answer (closed)."""

    OPEN = "open"
    CLOSED = "closed"


class Outcome(StrEnum):
    """The classified end of a request."""

    OK = "ok"
    AUTH_FAILURE = "auth_failure"
    THROTTLED = "throttled"
    TIMED_OUT = "timed_out"
    MODEL_ERROR = "model_error"
    SERVER_ERROR = "server_error"
    TRANSPORT_ERROR = "transport_error"
    UNEXPECTED = "unexpected"


class Cause(StrEnum):
    """Why an auth failure or a throttling happened; other outcomes say `NONE`, or their own short word."""

    NONE = ""
    EXPIRED = "expired"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"
    NO_LEASE = "no_lease"
    PENDING = "pending"
    RATE = "rate"
    TOKENS = "tokens"


class Freshness(StrEnum):
    """The validity zone a lease is in."""

    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


class LateCause(StrEnum):
    """What kept a request from being begun when it was due; `NONE` when nothing did."""

    NONE = ""
    CREDENTIAL = "credential"
    USERS = "users"
    HUB = "hub"
    CPU = "cpu"
    PACER = "pacer"


class TokensFrom(StrEnum):
    """How the output tokens of a streamed answer are known; `NONE` where the answer was no stream."""

    NONE = ""
    USAGE = "usage"
    EVENTS = "events"


COLUMNS: tuple[tuple[str, str], ...] = (
    ("intended_ns", "int64"),
    ("began_ns", "int64"),
    ("sent_ns", "int64"),
    ("first_byte_ns", "int64"),
    ("done_ns", "int64"),
    ("connect_ns", "int64"),
    ("server_time_ns", "int64"),
    ("sequence", "uint32"),
    ("response_bytes", "uint32"),
    ("generation", "uint16"),
    ("status", "uint16"),
    ("outcome", "word"),
    ("cause", "word"),
    ("phase", "word"),
    ("variant", "word"),
    ("deployment", "word"),
    ("freshness", "word"),
    ("attempt", "uint8"),
    ("replays", "uint8"),
    ("late_cause", "word"),
    ("request_class", "word"),
    ("first_token_ns", "int64"),
    ("last_token_ns", "int64"),
    ("content_events", "uint32"),
    ("output_tokens", "uint32"),
    ("prompt_tokens", "uint32"),
    ("tokens_from", "word"),
    ("stands_for", "uint16"),
)
"""(name, type) in file order; `word` is dictionary<uint8, utf8>. A column is only ever added at the end.

`connect_ns`      duration of the connect and TLS handshake this request had to make, 0 when it reused one
`server_time_ns`  duration the server claims in a response header, `NO_TIME` when it claims none
`sequence`        number of the request on its worker; with run and worker it gives `x-ms-client-request-id`
`generation`      number of the lease sent, 0 for none
`status`          HTTP status, 0 when no answer came
`request_class`   the request's own word, empty where all are of one kind
`attempt`         0 first, 1 the one replay after a 401 (it keeps `intended_ns`; the refused attempt is a sample too)
`replays`         how often it was sent anew because its kept connection had been closed before it was sent
`late_cause`      why schedule_lag is above 1 ms: `credential` its variant's users waited for a lease, `users` they all
                  awaited answers, `hub` this process was busy, `cpu` it was not given the processor, `pacer` its timer
                  was late

Of a streamed answer (`tokens_from` is not empty), however it ended:

`first_token_ns`  when the first event with text came, `NO_TIME` when none did; `last_token_ns` the last one so far
`content_events`  how many events with text there were
`output_tokens`   of the whole answer, by the server's usage block or, without one, the events with text (`tokens_from`)
`prompt_tokens`   by the server's usage block, 0 without one

`stands_for`      1; where the bodies of a share of the answers are checked, how many one that was checked stands for,
                  0 of one that was passed over
"""
