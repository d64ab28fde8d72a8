"""The live page at `/bench` of Locust's web UI: its routes, and what may be done from it. Edge: extends the Flask app.

GET   /bench                              the page
GET   /bench/state?since=S                what it shows, as JSON; of the points those after S seconds
GET   /bench/page.js, /bench/charts.js    its scripts
GET   /bench/form                         the fields that start a run, in groups (see `form_groups`)
GET   /bench/runs/<run_id>/report.html    the report of a run in the folder that this Locust writes to
GET   /bench/runs/<run_id>/figures        what its summary says, to draw several runs over each other
POST  /bench/fault                        one fault for the emulator that this process started, and no other

Every route asks for the login where Locust does, lies under its base path, and stands behind the guard (`web_guard`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from flask import Blueprint, Response, abort, jsonify, request

from bench import numbers, schemas
from bench.errors import BenchError
from bench.live import form_groups
from bench.live.board import Board
from bench.live.view import View
from bench.rundir import RunDir
from bench.target.emulator_admin import EmulatorAdmin

Route = tuple[str, Callable[..., Any], str]
"""A path below /bench, what answers, and to which method."""

_RUN_ID = re.compile(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{4}")
_MOST_RUNS = 50
_SCRIPTS = ("charts.js", "page.js")
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_REPORT_POLICY = "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
"""Names of endpoints and classes, bodies of errors: neither page runs what a stranger may have written there."""
_LINK = b'<a href="%s/bench" style="position:fixed;right:1rem;bottom:1rem;z-index:9999;padding:.4rem .8rem;border-radius:.4rem;background:#15803d;color:#fff;font:14px system-ui,sans-serif;text-decoration:none">Live page</a>'  # noqa: E501 - one tag
FAULTS: dict[str, dict[str, Any]] = {
    "rotate the key": {"do": "rotate_key"},
    "revoke the tokens": {"do": "revoke_tokens"},
    "ARM fails for 10 s": {"do": "arm", "answer": "503", "for": 10},
    "identity fails for 10 s": {"do": "identity", "answer": "503", "for": 10},
    "the model stalls for 2 s": {"do": "stall", "for": 2},
}
"""What the page offers where the target is an emulator that this process started."""


class Watched(Protocol):
    """The part of the run's master that the page looks at."""

    board: Board
    options: Mapping[str, Any]
    error: BenchError | None
    last_run: RunDir | None

    @property
    def emulator_admin(self) -> str: ...

    @property
    def results(self) -> Path: ...

    def view(self) -> View: ...

    def note_fault(self, name: str, fault: Mapping[str, Any]) -> None: ...


def add(web_ui: Any, master: Watched) -> None:
    """Put the page into `web_ui`, and a link to it on Locust's own."""
    base = (web_ui.app.blueprints["locust"].url_prefix or "").rstrip("/")
    routes = [
        *reading_routes(master, base=base, starts=True),
        ("/form", lambda: jsonify(_form(web_ui, master)), "GET"),
        ("/fault", lambda: _fault(master), "POST"),
    ]
    asking = [(path, web_ui.auth_required_if_enabled(view), method) for path, view, method in routes]
    web_ui.app.register_blueprint(blueprint(asking, base=base))
    web_ui.app.after_request(lambda answer: _with_link(answer, base))


def reading_routes(master: Watched, *, base: str, starts: bool = False) -> list[Route]:
    """Those that change nothing. With `starts` the page starts runs and lets faults loose on our own emulator."""
    return [
        ("/", lambda: _html(_page(base, starts=starts), _PAGE_POLICY), "GET"),
        *(
            (f"/{name}", lambda name=name: Response(_file(name), mimetype="text/javascript"), "GET")
            for name in _SCRIPTS
        ),
        ("/state", lambda: jsonify(_state(master, takes_faults=starts)), "GET"),
        ("/runs/<run_id>/report.html", lambda run_id: _report(master, run_id), "GET"),
        ("/runs/<run_id>/figures", lambda run_id: _figures(master, run_id), "GET"),
    ]


def blueprint(routes: Iterable[Route], *, base: str = "") -> Blueprint:
    """The page's part of a Flask app."""
    pages = Blueprint("bench", __name__, url_prefix=f"{base}/bench")
    pages.after_request(_never_kept)
    for number, (path, view, method) in enumerate(routes):
        pages.add_url_rule(path, f"route{number}", view, methods=[method], strict_slashes=False)
    return pages


def _never_kept(answer: Response) -> Response:
    """Whoever comes back from a report sees what is now, and not what a browser has kept of it."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _with_link(answer: Response, base: str) -> Response:
    """Locust's page is compiled and has no place for one."""
    if request.endpoint == "locust.index" and answer.mimetype == "text/html" and answer.status_code == 200:
        body = answer.get_data()
        answer.set_data(body.replace(b"</body>", _LINK % base.encode() + b"</body>", 1))
    return answer


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _page(base: str, *, starts: bool) -> str:
    page = _file("page.html").replace("{base}", f"{base}/bench").replace("{starts}", "yes" if starts else "no")
    return page.replace("{heading}", "Start, change or stop a run" if starts else "Stop the run")


def _html(page: str | bytes, policy: str) -> Response:
    answer = Response(page, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = policy
    return answer


def _form(web_ui: Any, master: Watched) -> list[dict[str, Any]]:
    """What Locust's own form would offer, which `shown_form` keeps to what a browser may set."""
    web_ui.update_template_args()
    return form_groups.of(web_ui.template_args["extra_options"], master.options)


def _state(master: Watched, *, takes_faults: bool) -> dict[str, Any]:
    try:
        since_s = float(request.args.get("since", "-1"))
    except ValueError:
        since_s = -1.0
    return {
        **master.board.as_json(master.view(), since_s=since_s),
        "error": master.error.describe() if master.error is not None else "",
        "faults": list(FAULTS) if takes_faults and master.emulator_admin else [],
        "verdict": _verdict(master.last_run),
        "runs": _runs(master.results),
    }


def _verdict(run: RunDir | None) -> dict[str, Any] | None:
    """What the report says of the run that ended last; None until it is there, which is the last of its files."""
    if run is None or not run.report.exists():
        return None
    try:
        trust = schemas.load(run.summary, schemas.Summary)["trust"]
    except BenchError:
        return None
    return {"run_id": run.run_id, "verdict": trust["verdict"], "reasons": trust["reasons"], "gates": _gates(run)}


def _gates(run: RunDir) -> list[str]:
    """What the run was judged by last, a line each; none where it was not judged."""
    try:
        results = schemas.load(run.gates, schemas.Gates)["results"]
    except BenchError:
        return []
    return [f"{result['verdict']}: {result['gate']}" for result in results]


def _runs(results: Path) -> list[str]:
    """The runs that have a report, the newest first."""
    found = (path.parent.name for path in results.glob("*/report.html"))
    return sorted((name for name in found if _RUN_ID.fullmatch(name)), reverse=True)[:_MOST_RUNS]


def _report(master: Watched, run_id: str) -> Response:
    """Only a run's own page: a name that is no run's leads nowhere."""
    if not _RUN_ID.fullmatch(run_id):
        abort(404)
    try:
        page = (master.results / run_id / "report.html").read_bytes()
    except OSError:
        abort(404)
    return _html(page, _REPORT_POLICY)


def _figures(master: Watched, run_id: str) -> Any:
    """By variant: quantiles of its response time in ms, and a row of a table."""
    if not _RUN_ID.fullmatch(run_id):
        abort(404)
    try:
        summary = schemas.load(RunDir(master.results / run_id).summary, schemas.Summary)
    except BenchError:
        abort(404)
    times = {name: block["response_time_ms"] for name, block in summary["variants"].items()}
    rows = [
        [
            f"{run_id} {name}",
            summary["trust"]["verdict"],
            numbers.rate(block["throughput"]),
            numbers.percent(block["error_rate"]),
            *(numbers.milliseconds(times[name].get(quantile)) for quantile in ("p50", "p90", "p99", "p99.9")),
        ]
        for name, block in summary["variants"].items()
    ]
    return jsonify({"run_id": run_id, "variants": times, "rows": rows})


def _fault(master: Watched) -> Any:
    """A fault by its name on the page; nothing else reaches the emulator."""
    name = request.form.get("name", "")
    if not master.emulator_admin or name not in FAULTS:
        abort(404)
    try:
        EmulatorAdmin(master.emulator_admin).script([FAULTS[name]])
    except (OSError, ValueError) as exc:
        return jsonify({"success": False, "message": f"the emulator did not take it: {exc}"}), 502
    master.note_fault(name, FAULTS[name])
    return jsonify({"success": True, "message": ""})
