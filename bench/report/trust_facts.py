"""What the trust verdict rests on, as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bench.numbers import count, milliseconds, percent, rate


class TrustFact(NamedTuple):
    """All of it text; `limit` is where a run becomes SUSPECT, empty where there is none."""

    name: str
    measured: str
    limit: str


def trust_facts(trust: Mapping[str, Any]) -> list[TrustFact]:
    """The rows, out of the `trust` block of the summary. The rate and the lag are left out in the closed model."""
    lag, limits, stalls, asked = trust["schedule_lag_ms"], trust["limits"], trust["stalls"], trust["asked_rate"]
    kept = trust["achieved_rate"] / asked if asked else None
    scheduled = [
        TrustFact("achieved of asked rate", percent(kept), f"at least {percent(limits['achieved_suspect'])}"),
        TrustFact("schedule lag, p50", _ms(lag["p50"]), f"{limits['lag_p50_suspect_ms']:g} ms"),
        TrustFact("schedule lag, p99", _ms(lag["p99"]), f"{limits['lag_p99_suspect_ms']:g} ms"),
        TrustFact("schedule lag, max", _ms(lag["max"]), ""),
        TrustFact("late while all users were busy", percent(trust["users_busy_share"]), ""),
        TrustFact("rate this client would hold", rate(trust["sustainable_rate"]), ""),
    ]
    return [
        *(scheduled if asked else ()),
        TrustFact("CPU of the busiest worker", percent(trust["cpu"]), percent(limits["cpu_suspect"])),
        TrustFact("stalls of a worker", count(stalls["count"]), ""),
        TrustFact("longest stall", _ms(stalls["longest_ms"]), f"{limits['longest_stall_suspect_ms']:g} ms"),
        TrustFact("time spent in stalls", percent(stalls["share"]), percent(limits["stalled_share_suspect"])),
        TrustFact("arrivals dropped", count(trust["dropped_arrivals"]), "0"),
        TrustFact("samples lost", count(trust["unwritten_samples"]), "0"),
    ]


def _ms(value: float | None) -> str:
    return f"{milliseconds(value)} ms"
