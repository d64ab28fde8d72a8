"""A run's requests and their times, as its options name them: what the master checks and every sender sends. Edge."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import RunInvalid, UsageError
from bench.load.engine import chat_fields, trace
from bench.load.engine.bodies import Framing, load_bodies
from bench.load.engine.chat_file import load_chats
from bench.load.engine.feeder import Feeder
from bench.load.engine.prompts import make_prompts
from bench.load.engine.request_file import load_requests
from bench.plan.lengths import Lengths
from bench.plan.prompt_plan import MOST_TURNS, Made, turn_class
from bench.plan.request_plan import RequestPlan
from bench.plan.run_plan import TRACE, RunPlan


class OtherFile(RunInvalid):
    """A file is not the one that the master checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSource:
    """`dues_ns` are a trace's times, None where the plan's rate decides. `sha256` is that of payload or request file,
    or of the prompts that were made (`made`), `classes` the words that distinguish requests. Where requests begin
    conversations, `turns` is how many the longest has, else 0."""

    feeder: Feeder
    sha256: str
    dues_ns: Sequence[int] | None = None
    classes: tuple[str, ...] = ()
    made: Made | None = None
    turns: int = 0


def load(plan: RunPlan, *, check: bool = True) -> RequestSource:
    """Read and check all files. UsageError names file and line."""
    request = plan.request
    times_s: Sequence[float] = trace.read_times_s(plan.arrivals_from) if plan.arrivals_from else ()
    if not request.requests:
        return _of_bodies(plan, times_s, check=check)
    file = load_requests(request)
    if file.at_s and times_s:
        raise UsageError("--arrivals-from, and the request file has at_s", hint="give the times once")
    if file.at_s:
        feeder = Feeder(file.requests, order=trace.order_of(file.at_s))
    else:
        feeder = Feeder.of(file.requests, seed=plan.seed, weights=file.weights)
    return RequestSource(
        feeder=feeder, sha256=file.sha256, dues_ns=_dues(file.at_s or times_s, plan), classes=file.classes
    )


def _of_bodies(plan: RunPlan, times_s: Sequence[float], *, check: bool) -> RequestSource:
    """Requests that differ in their bodies only."""
    request = plan.request
    framing = Framing(content_type=request.content_type, bodiless=request.method in {"GET", "DELETE"})
    made, turns = None, 0
    if request.chat or request.prompts is not None:
        fields = chat_fields.decode(request.chat_fields.encode()) if request.chat_fields else {}
        if request.prompts is not None:
            prompts = make_prompts(
                request.prompts, seed=plan.seed, framing=framing, fields=fields, think_s=request.think_s
            )
            bodies, sha256, turns, made = prompts.bodies, prompts.sha256, prompts.turns, prompts.made
        else:
            chats = load_chats(request.chat, framing=framing, fields=fields, think_s=request.think_s)
            bodies, sha256, turns = chats.bodies, chats.sha256, chats.turns
    elif request.chat_fields:
        raise UsageError("--chat-fields are of chat bodies, and there are none", hint="give --chat or --prompt-tokens")
    else:
        bodies, sha256 = load_bodies(plan.payload, framing=framing, check=check)
    if request.think_s and not turns:
        raise UsageError("--think-time is between the turns of a conversation, and there is none", hint="give --turns")
    return RequestSource(
        feeder=Feeder.of(bodies, seed=plan.seed),
        sha256=sha256,
        dues_ns=_dues(times_s, plan),
        classes=_turns(turns),
        made=made,
        turns=turns,
    )


def classes_of(request: RequestPlan) -> tuple[str, ...]:
    """The words that distinguish the requests, before a run. Reads the files; UsageError names file and line."""
    if request.requests:
        return load_requests(request).classes
    if request.prompts is not None:
        turns = Lengths.parse(request.prompts.turns, option="--turns", most=MOST_TURNS).most
        return _turns(turns if turns > 1 else 0)
    return _turns(load_chats(request.chat, framing=Framing()).turns) if request.chat else ()


def _turns(most: int) -> tuple[str, ...]:
    return tuple(map(turn_class, range(1, most + 1)))


def complete(plan: RunPlan, source: RequestSource) -> RunPlan:
    """The plan with what only the files contain: their hash, and a trace's rate over time and length."""
    if plan.request.requests:
        plan = dataclasses.replace(plan, request=dataclasses.replace(plan.request, requests_sha256=source.sha256))
    else:
        plan = dataclasses.replace(plan, payload_sha256=source.sha256)
    if plan.request.prompts is not None:
        prompts = dataclasses.replace(plan.request.prompts, made=source.made)
        plan = dataclasses.replace(plan, request=dataclasses.replace(plan.request, prompts=prompts))
    if source.dues_ns is None:
        if plan.speed != 1.0:
            raise UsageError("--speed is that of a trace, and there is none", hint="give --arrivals-from")
        return plan
    if plan.arrival_rate is not None or (plan.stages and plan.arrivals != TRACE):
        raise UsageError("a trace has its own arrivals", hint="leave --arrival-rate and --stages out")
    stages = trace.stages(source.dues_ns)
    total_s = math.fsum(stage.duration_s for stage in stages)
    if plan.warm_up_auto:
        raise UsageError(
            "--warm-up auto is for one rate: recorded arrivals have their own", hint="give --warm-up a time"
        )
    if plan.warm_up_s >= total_s:
        raise UsageError(f"--warm-up {plan.warm_up_s:g}s is not shorter than the trace ({total_s:g}s)")
    return dataclasses.replace(plan, arrivals=TRACE, stages=stages, duration_s=total_s - plan.warm_up_s)


def load_again(plan: RunPlan) -> RequestSource:
    """The same files once more, for a sender: OtherFile when they are not those that the master checked."""
    source = load(plan, check=False)
    expected = plan.request.requests_sha256 or plan.payload_sha256
    if expected and source.sha256 != expected:
        if plan.request.prompts is not None:
            raise OtherFile(
                "the prompts are not those that the run began with",
                hint="have the same version, and the same --tokenizer, on every host",
            )
        path = plan.request.requests or plan.request.chat or plan.payload
        raise OtherFile(f"{path} is not the file that the run began with", hint="have the same file on every host")
    return source


def _dues(times_s: Sequence[float], plan: RunPlan) -> list[int] | None:
    return trace.dues_ns(times_s, speed=plan.speed) if times_s else None
