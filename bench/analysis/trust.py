"""Whether a run can be believed: TRUSTED, SUSPECT or INVALID, and why. Pure.

Only the harness and the measurement are on trial here. A slow or failing target is a finding; a client that could not
keep its schedule, lost samples or was killed is a fault, and so is a time that holds two states of the target. Every
limit is in `LIMITS` and goes into the summary, but for those of `steady`; see docs/decisions/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bench.analysis import evidence, steady, streams
from bench.analysis.evidence import Evidence
from bench.analysis.run import LoadedRun
from bench.numbers import plural
from bench.sample import Outcome

LIMITS: Mapping[str, float] = {
    "lag_p50_suspect_ms": 0.5,
    "lag_p50_invalid_ms": 5.0,
    "lag_p99_suspect_ms": 2.0,
    "lag_p99_invalid_ms": 20.0,
    "achieved_suspect": 0.99,
    "achieved_invalid": 0.95,
    "cpu_suspect": 0.80,
    "cpu_invalid": 0.95,
    "longest_stall_suspect_ms": 50.0,
    "stalled_share_suspect": 0.01,
    "stalled_share_invalid": 0.05,
    "lost_share_invalid": 0.001,
    "transport_error_suspect": 0.01,
    "users_busy_share": 0.5,
}
"""What makes a run SUSPECT or INVALID; `users_busy_share` is from where on late requests are the target's doing."""


CLIENT_LIMITS: Mapping[str, tuple[str, str]] = {
    "no_descriptors": ("file descriptors", "raise `ulimit -n`, or use fewer --users"),
    "no_ports": ("local ports", "use fewer --users or send from more hosts, and let the server keep connections"),
}
"""Causes of failures that are this host's: what it lacked, and what to do."""


class TrustVerdict(StrEnum):
    """How far the figures of a run can be believed."""

    TRUSTED = "TRUSTED"
    SUSPECT = "SUSPECT"
    INVALID = "INVALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One plain sentence: what was found, where the limit is, what to do.

    `client_late`: the client began or handled requests late, so response times are longer than the target made them.
    """

    verdict: TrustVerdict
    text: str
    client_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The verdict, its reasons (the invalidating ones first) and what they rest on."""

    verdict: TrustVerdict
    reasons: tuple[Reason, ...]
    evidence: Evidence


def of(run: LoadedRun) -> Trust:
    """Judge a run; never fails for what is missing, but says so."""
    found = evidence.gather(run)
    reasons = [reason for check in _CHECKS for reason in check(run, found)]
    invalid = [reason for reason in reasons if reason.verdict is TrustVerdict.INVALID]
    suspect = [reason for reason in reasons if reason.verdict is TrustVerdict.SUSPECT]
    verdict = TrustVerdict.INVALID if invalid else TrustVerdict.SUSPECT if suspect else TrustVerdict.TRUSTED
    return Trust(verdict=verdict, reasons=(*invalid, *suspect), evidence=found)


def _incomplete(run: LoadedRun, _: Evidence) -> Iterator[Reason]:
    ended = run.manifest.get("ended")
    if not run.measured.any():
        yield _invalid("no request was measured: check that the target was reached and --duration exceeds --warm-up")
    else:
        yield from _unanswering(run)
    if not ended:
        yield _invalid(f"the run was killed before it ended, after {run.span_s:.1f} s of measuring: run it again")
    elif ended.get("reason") not in ("completed", "decided") and not (ended.get("reason") == "stopped" and run.endless):
        planned = f" of {run.plan.duration_s:g} s" if run.plan.duration_s else " s"
        yield _suspect(
            f"the run ended early ({ended.get('reason', 'no reason given')}) after {run.span_s:.1f}{planned}: "
            "its figures cover less time than was asked for; run it to its end"
        )
    broken = [problem for problem in run.problems if problem.startswith("samples/")]
    yield from (_invalid(f"{problem}; run it again") for problem in broken)
    written = evidence.last_total(run, "written")
    if not broken and written is not None and len(run.samples) < written:
        yield _invalid(f"{len(run.samples)} samples are on disk of {written} that were written: was a file changed?")


def _lost_gaps(run: LoadedRun, _: Evidence) -> Iterator[Reason]:
    if lost := streams.with_lost_gaps(run, run.measured):
        yield _suspect(
            f"gaps between tokens of {plural(lost, 'answer')} are lost, and in no figure: "
            "is the disk full, or a file in chunks/ damaged?"
        )


def _unknown(run: LoadedRun, found: Evidence) -> Iterator[Reason]:
    if run.manifest.get("ended") and found.dropped_arrivals is None:
        yield _suspect(
            "what the client lost, its CPU and its stalls are not known: a health file is missing or damaged"
        )


def _unanswering(run: LoadedRun) -> Iterator[Reason]:
    """Variants of which nothing is known but that they fail."""
    good = run.samples.where("outcome", Outcome.OK)
    for variant in run.variants:
        rows = run.rows(variant)
        which = f" of {variant}" if len(run.variants) > 1 else ""
        if not rows.any():
            yield _invalid(f"no request{which} was measured: check its users and its rate")
        elif not (rows & good).any():
            yield _invalid(f"no request{which} succeeded, so there is no latency to tell: look at the outcomes first")


def _lost(run: LoadedRun, found: Evidence) -> Iterator[Reason]:
    for number, what, remedy in (
        (found.unwritten_samples, "samples were not written", "use a faster disk for --out, or a lower rate"),
        (found.dropped_arrivals, "arrivals were dropped", "lower --arrival-rate or raise --processes"),
    ):
        if number:
            worst = LIMITS["lost_share_invalid"]
            make = _invalid if number > worst * len(run.samples) else _suspect
            yield make(f"{number} {what} (limit 0, invalid above {worst:.1%} of all): {remedy}")


def _lost_workers(run: LoadedRun, _: Evidence) -> Iterator[Reason]:
    """Whoever led the run has judged it: ending `lost` is more than the others could make up for."""
    lost = run.manifest.get("lost") or ()
    is_invalid = (run.manifest.get("ended") or {}).get("reason") == "lost"
    for loss in lost:
        loss_words = f"worker {loss['worker']} was lost at {loss['at_ns'] / 1e9:.1f} s ({loss['why']})"
        if is_invalid:
            yield _invalid(f"{loss_words}, and {loss['lost_samples']} samples with it: run it again")
        else:
            yield _suspect(f"{loss_words}: the others took over, and {loss['lost_samples']} samples are lost")
    disk = run.manifest.get("disk") or {}
    if is_invalid and disk.get("lost_from_s") is not None:
        yield _invalid(
            f"the disk was full: samples from second {disk['lost_from_s']:.0f} on are lost; make room, and run it again"
        )
    elif is_invalid and not lost:
        yield _invalid("workers, or what they measured, were lost: run it again")


def _rate(run: LoadedRun, found: Evidence) -> Iterator[Reason]:
    if not run.measured.any() or found.kept >= LIMITS["achieved_suspect"]:
        return
    said = (
        f"{_short(found.achieved_rate)} requests/s began where {_short(found.asked_rate)}/s were asked for "
        f"({found.kept:.1%}, limit {LIMITS['achieved_suspect']:.0%})"
    )
    if _users_to_blame(found):
        yield _suspect(f"{said} because the users were all busy: raise --users, or lower --arrival-rate")
    elif found.kept < LIMITS["achieved_invalid"]:
        yield _invalid(f"{said}; {_what_holds(found)}", client_late=True)
    else:
        yield _suspect(f"{said}; {_what_holds(found)}", client_late=True)


def _lag(run: LoadedRun, found: Evidence) -> Iterator[Reason]:
    name = next((name for name in ("p99", "p50") if found.lag_ms[name] > LIMITS[f"lag_{name}_suspect_ms"]), None)
    if not run.open_model or name is None:
        return
    said = (
        f"requests began {_short(found.lag_ms[name])} ms late at {name} (limit {LIMITS[f'lag_{name}_suspect_ms']:g} ms)"
    )
    if _users_to_blame(found):
        yield _suspect(
            f"{said} because the users were all busy in {found.users_busy:.0%} of those cases: {run.plan.users} users "
            "are too few for this rate and target, and response time includes their debt; raise --users"
        )
    elif any(found.lag_ms[q] > LIMITS[f"lag_{q}_invalid_ms"] for q in ("p50", "p99")):
        yield _invalid(f"{said}, so the client was the bottleneck; {_what_holds(found)}", client_late=True)
    else:
        yield _suspect(f"{said}, which is in every response time; {_what_holds(found)}", client_late=True)


def _cpu(run: LoadedRun, found: Evidence) -> Iterator[Reason]:
    if not found.cpu > LIMITS["cpu_suspect"]:
        return
    said = f"the client used {found.cpu:.0%} of its core in its busiest seconds (limit {LIMITS['cpu_suspect']:.0%})"
    if not run.open_model:
        yield _suspect(
            f"{said}: latency includes waiting for the client itself; lower --users or raise --processes",
            client_late=True,
        )
    elif found.cpu > LIMITS["cpu_invalid"]:
        yield _invalid(f"{said}; {_what_holds(found)}", client_late=True)
    else:
        yield _suspect(f"{said}; {_what_holds(found)}", client_late=True)


def _stalled(_: LoadedRun, found: Evidence) -> Iterator[Reason]:
    if found.stalled_share > LIMITS["stalled_share_suspect"]:
        make = _invalid if found.stalled_share > LIMITS["stalled_share_invalid"] else _suspect
        yield make(
            f"the client stood still for {found.stalled_share:.1%} of the time "
            f"(limit {LIMITS['stalled_share_suspect']:.0%}): use a quieter machine or a lower rate",
            client_late=True,
        )
    elif found.longest_stall_ms > LIMITS["longest_stall_suspect_ms"]:
        yield _suspect(
            f"the client stood still for {_short(found.longest_stall_ms)} ms at once (limit "
            f"{LIMITS['longest_stall_suspect_ms']:g} ms): requests sent meanwhile look slower than they were",
            client_late=True,
        )


def _unanswered(run: LoadedRun, _: Evidence) -> Iterator[Reason]:
    theirs = run.measured & run.samples.where("outcome", Outcome.TRANSPORT_ERROR)
    theirs &= ~run.samples.where("cause", *CLIENT_LIMITS)
    broken = int(theirs.sum()) / max(int(run.measured.sum()), 1)
    if broken > LIMITS["transport_error_suspect"]:
        yield _suspect(
            f"{broken:.1%} of the requests failed before an answer came (limit "
            f"{LIMITS['transport_error_suspect']:.0%}): latency covers only the rest; check the target and the network"
        )


def _client_limits(run: LoadedRun, _: Evidence) -> Iterator[Reason]:
    """Requests that failed for want of something of this host's: the target never saw them."""
    ended = run.samples.counts("cause", run.measured & run.samples.where("outcome", Outcome.TRANSPORT_ERROR))
    for cause, (what, remedy) in CLIENT_LIMITS.items():
        if number := ended.get(cause, 0):
            share = number / max(int(run.measured.sum()), 1)
            yield _invalid(
                f"the client had no {what} left for {number} requests ({share:.2%}, cause {cause}), which is no fault "
                f"of the target: {remedy}"
            )


def _auth_mode_changed(run: LoadedRun, _: Evidence) -> Iterator[Reason]:
    for variant in run.variants:
        asked = run.auth_mode(variant)
        used = {str(f["auth_mode"]) for f in run.flights if f.get("variant") == variant and f.get("auth_mode")}
        if used - {asked}:
            yield _invalid(
                f"{variant} was to use {asked} but got credentials for {', '.join(sorted(used - {asked}))}: "
                "the endpoint's auth mode changed during the run; run it again"
            )


def _unsteady(run: LoadedRun, _: Evidence) -> Iterator[Reason]:
    """A figure over a warm-up that goes on, or over a drift, is of no state the target stays in."""
    for variant in run.variants:
        found = steady.unsteady(steady.batch_medians_ms(run, variant), least_ms=run.plan.min_effect_ms)
        if found is None:
            continue
        went = f"service time of {variant} (median) went from {_short(found.before_ms)} to {_short(found.after_ms)} ms"
        if found.steady_from is None:
            yield _suspect(
                f"{went} through the run (Spearman {found.rho:.2f}): it was not steady; find out what drifts"
            )
            continue
        from_s = found.steady_from * run.span_s / steady.BATCHES
        if found.step:
            yield _suspect(
                f"{went} in a step, {from_s:.1f} s into the measured time: was the deployment scaled, or its machine"
                " shared? its figures are of two states; measure again, or longer from there on"
            )
            continue
        yield _suspect(
            f"{went} and was steady from {from_s:.1f} s on: the warm-up was still going on; "
            f"give --warm-up {math.ceil(run.window_ns[0] / 1e9 + from_s)}s"
        )


def _never_settled(run: LoadedRun, _: Evidence) -> Iterator[Reason]:
    if run.warm_up and run.warm_up.settled is False:
        yield _suspect(run.warm_up.sentence)


_CHECKS: tuple[Callable[[LoadedRun, Evidence], Iterator[Reason]], ...] = (
    _incomplete,
    _lost_gaps,
    _unknown,
    _lost,
    _lost_workers,
    _rate,
    _lag,
    _cpu,
    _stalled,
    _client_limits,
    _unanswered,
    _auth_mode_changed,
    _unsteady,
    _never_settled,
)


def _users_to_blame(found: Evidence) -> bool:
    """The target kept all users busy, while the client had CPU to spare (or did not report it)."""
    return found.users_busy >= LIMITS["users_busy_share"] and not found.cpu > LIMITS["cpu_invalid"]


def _what_holds(found: Evidence) -> str:
    """What to do about a client that did not keep up; the rate that would hold where its CPU was the limit."""
    if found.sustainable_rate < found.asked_rate:
        return f"about {_short(found.sustainable_rate)}/s would hold: lower --arrival-rate or raise --processes"
    return "its CPU had room or is not known, so look for stalls and for other load on this machine"


def _invalid(text: str, *, client_late: bool = False) -> Reason:
    return Reason(verdict=TrustVerdict.INVALID, text=text, client_late=client_late)


def _suspect(text: str, *, client_late: bool = False) -> Reason:
    return Reason(verdict=TrustVerdict.SUSPECT, text=text, client_late=client_late)


def _short(number: float) -> str:
    """Three digits that matter: 0.0312, 2.31, 1,230."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
