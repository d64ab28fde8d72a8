"""The first failure of each kind, as a line of `failures/<worker>.jsonl` has it. Pure noun.

count          failures of this kind so far, warm-up and replays included
first_ns       end of the first and of the last one, since the run's zero (`last_ns`)
reason         the status line's phrase; where no answer came, what the system or OpenSSL said
location       where a redirect points, without its query
model_status   `ms-azureml-model-error-statuscode`, and `model_reason` its companion `-reason`
retry_after    how long a 429 or 503 asks to wait, as it says; `limits` its x-ratelimit-* headers (`remaining-tokens 0`)
server, request_id, content_type   as the answer says, `request_id` from x-request-id or x-ms-request-id
run_id, worker whose line it is; empty in old files
body           up to 200 characters of the answer's body (of what came instead, where it was no HTTP)
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class AnswerDetails:
    """What is kept of an answer, or of its absence. Taken at once: the connection may be used again before a failure
    is recorded."""

    reason: str = ""
    location: str = ""
    model_status: str = ""
    model_reason: str = ""
    retry_after: str = ""
    limits: str = ""
    server: str = ""
    request_id: str = ""
    content_type: str = ""
    body: str = ""


@dataclass(slots=True, kw_only=True)
class FailureSample(AnswerDetails):
    """A line of `failures/<worker>.jsonl`: one kind of failure, how often it came, and what its first one said."""

    variant: str
    outcome: str
    cause: str
    status: int
    count: int
    first_ns: int
    last_ns: int
    run_id: str = ""
    worker: str = ""


NO_DETAILS = AnswerDetails()
