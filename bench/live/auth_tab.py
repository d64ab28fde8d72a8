"""The Auth tab: who holds which lease, when it is renewed, what failed. Edge: extends Locust's Flask app.

Locust's page shows tabs and tables it finds in `template_args`, and fills them from `extended_stats` in the
answer of `/stats/requests`, which it polls. No secret is ever in a `View`.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from flask import Response, request

from bench.errors import BenchError
from bench.live.sketch import Sketch
from bench.live.view import View
from bench.sample import Outcome

_KEY = "auth"
_COLUMNS = (
    ("variant", "Variant"),
    ("auth_mode", "Auth mode"),
    ("generation", "Lease"),
    ("freshness", "Freshness"),
    ("refresh_in", "Refresh in"),
    ("life_left", "Life left"),
    ("flights", "Fetches"),
    ("failures", "Failed fetches"),
    ("waiters", "Waiting users"),
    ("response_p50", "Response p50"),
    ("response_p99", "Response p99"),
    ("auth_failures", "Auth failures"),
    ("error", "Last error"),
)


class Leads(Protocol):
    """The part of the run's master that the tab looks at."""

    error: BenchError | None

    def view(self) -> View: ...


def add(web_ui: Any, master: Leads) -> None:
    """Put the tab into `web_ui`."""
    web_ui.template_args["extended_tabs"] = [{"title": "Auth", "key": _KEY}]
    web_ui.template_args["extended_tables"] = [
        {"key": _KEY, "structure": [{"key": key, "title": title} for key, title in _COLUMNS]}
    ]

    def add_stats(response: Response) -> Response:
        if request.path.endswith("/stats/requests") and response.is_json:
            stats = [{"key": _KEY, "data": rows(master.view(), master.error)}]
            response.set_data(json.dumps({**response.get_json(), "extended_stats": stats}))
        return response

    web_ui.app.after_request(add_stats)


def rows(view: View, error: BenchError | None) -> list[dict[str, Any]]:
    """One row a variant; before the first lease, one that says what is wrong, if anything is."""
    if not view["leases"]:
        return [{**dict.fromkeys(key for key, _ in _COLUMNS), "error": error.describe()}] if error is not None else []
    return [
        {
            **lease,
            **_figures(view, lease["variant"]),
            "refresh_in": _seconds(lease["refresh_in_s"]),
            "life_left": _seconds(lease["life_left_s"]),
            "error": lease["error"] or (error.describe() if error is not None else ""),
        }
        for lease in view["leases"]
    ]


def _figures(view: View, variant: str) -> dict[str, Any]:
    """The variant's own, of the last seconds; auth failures of the whole run."""
    if variant not in view["variants"]:
        return {"response_p50": "", "response_p99": "", "auth_failures": 0}
    figures = view["variants"][variant]
    times = Sketch(figures["recent"]["response_time"])
    failures = figures["whole"]["outcomes"].items()
    return {
        "response_p50": _ms(times.quantile_ms(0.5)),
        "response_p99": _ms(times.quantile_ms(0.99)),
        "auth_failures": sum(count for kind, count in failures if kind.startswith(Outcome.AUTH_FAILURE)),
    }


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{max(value, 0):.0f} s"
