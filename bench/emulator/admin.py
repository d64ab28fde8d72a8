"""The admin interface over HTTP: faults in, counts and logs out. It has a port of its own, which no fault closes.

POST   /admin/start      now is the zero of the fault script, or {"zero_ns": N} on this machine's monotonic clock
POST   /admin/faults     add one fault, a list of them, or {"faults": [...]}; JSON or YAML
GET    /admin/faults     what is waiting, on or over;   DELETE  forgets them all
GET    /admin/stats      answers by endpoint and status, refusals by reason, control-plane calls by operation
GET    /admin/log        the control plane's requests;  GET /admin/refusals  the data plane's 401s and 403s
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import yaml

from bench.emulator.dataplane import ScoringFront
from bench.emulator.fault_schedule import FaultSchedule
from bench.emulator.faults import Fault, FaultScriptError, parse_script
from bench.emulator.journal import Journal
from bench.emulator.messages import Request, Response, as_json


def read_script(text: str | bytes) -> tuple[Fault, ...]:
    """The faults of a JSON or YAML text. FaultScriptError, in one line, when it holds none."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise FaultScriptError(f"not YAML or JSON: {' '.join(str(exc).split())}") from exc
    return parse_script(document)


class Admin:
    """Answers admin requests."""

    def __init__(
        self, schedule: FaultSchedule, fronts: Sequence[ScoringFront], *, requests: Journal, refusals: Journal
    ) -> None:
        self._schedule = schedule
        self._fronts = fronts
        self._requests = requests
        self._refusals = refusals

    def handle(self, request: Request) -> Response:
        match request.method, request.path.rstrip("/"):
            case "POST", "/admin/start":
                return self._start(request.body)
            case "POST", "/admin/faults":
                return self._add(request.body)
            case "GET", "/admin/faults":
                return as_json(200, {"faults": self._schedule.describe()})
            case "DELETE", "/admin/faults":
                self._schedule.clear()
                return as_json(200, {"faults": []})
            case "GET", "/admin/stats":
                return as_json(200, self._stats())
            case "GET", "/admin/log":
                return as_json(200, self._requests.records())
            case "GET", "/admin/refusals":
                return as_json(200, self._refusals.records())
        return as_json(404, {"error": f"no {request.method} {request.path}; see docs/guides/emulator.md"})

    def _start(self, body: bytes) -> Response:
        try:
            zero_ns = json.loads(body)["zero_ns"] if body else None
            zero_s = None if zero_ns is None else int(zero_ns) / 1e9
        except (ValueError, TypeError, KeyError, OverflowError):
            return as_json(400, {"error": 'the body is {"zero_ns": N}, or empty for now'})
        return as_json(200, {"zero_ns": round(self._schedule.start(zero_s) * 1e9), "faults": self._schedule.describe()})

    def _add(self, body: bytes) -> Response:
        try:
            self._schedule.add(read_script(body))
        except FaultScriptError as exc:
            return as_json(400, {"error": str(exc)})
        return as_json(200, {"faults": self._schedule.describe()})

    def _stats(self) -> dict[str, Any]:
        calls = Counter(str(record["operation"]) for record in self._requests.records())
        return {
            "control_plane": dict(calls),
            "endpoints": {
                front.endpoint.name: {
                    "auth_mode": front.endpoint.auth_mode,
                    "answers": {str(status): count for status, count in sorted(front.counts.items())},
                    "refusals": dict(front.reasons),
                    "deployments": {
                        slots.deployment: {"pending": slots.pending, "scored": slots.scored}
                        for slots in front.deployments.values()
                    },
                }
                for front in self._fronts
            },
        }
