"""The walls of the house: who may import whom, and what comes along when one room is entered.

Arrows are read from the source, so that an import inside a function counts too. What importing really brings along is
asked of fresh processes, for nobody sees that in the source.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

HEAVY = ("azure", "flask", "gevent", "locust", "matplotlib", "msal", "requests")
"""What a pure module, and a command that only reads files, must never bring along."""

NOUNS = (
    *("endpoint", "errors", "failure_sample", "metrics", "numbers", "plain_text", "plan", "sample", "spelling"),
    "trace_context",
)

ROOMS: dict[str, set[str]] = {
    "plan": {*NOUNS},
    "process": {"errors"},
    "target": {*NOUNS, "rundir", "schemas"},
    "analysis": {*NOUNS},
    "settings": {*NOUNS, "rundir", "schemas"},
    "schemas": {"endpoint", "errors", "failure_sample", "plan", "rundir"},
    "gates": {*NOUNS, "analysis", "rundir", "schemas", "settings"},
    "report": {*NOUNS, "analysis", "rundir", "runreader", "schemas"},
    "credentials": {*NOUNS, "clock", "process", "target"},
    "emulator": set(),
    "samples": {*NOUNS},
    "load": {
        *NOUNS,
        "clock",
        "credentials",
        "line_file",
        "live",
        "process",
        "rundir",
        "samples",
        "schemas",
        "settings",
        "target",
    },
    "live": {*NOUNS, "clock", "credentials", "load", "otlp", "process", "rundir", "schemas", "target"},
    "launch": {
        *NOUNS,
        *("analysis", "clock", "gates", "process", "report", "rundir", "runreader", "schemas", "settings", "voice"),
    },
    # what measures the harness itself starts it as a process; `costs` alone takes parts of it by themselves
    "calibration": {
        *NOUNS,
        "analysis",
        "clock",
        "credentials",
        "gates",
        "history",
        "launch",
        "live",
        "load",
        "rundir",
        "runreader",
        "samples",
        "schemas",
        "target",
    },
    "capacity": {*NOUNS, "analysis", "clock", "gates", "launch", "report", "rundir", "runreader"},
    "history": {
        *("clock", "credentials", "endpoint", "errors", "line_file", "metrics", "numbers", "plan", "rundir", "schemas"),
        "target",
    },
    "comment": {*NOUNS},
    "otlp": {*NOUNS, "rundir", "runreader", "samples"},
    "runset": {
        *(*NOUNS, "analysis", "clock", "gates", "launch", "report", "rundir", "runreader", "schemas", "voice"),
    },
    "drills": {*NOUNS, "analysis", "clock", "launch", "rundir", "runreader", "samples", "schemas", "target"},
}
"""Which rooms a room may import from. `commands` is not here: it stands above all of them but the emulator."""

SINGLE: dict[str, set[str]] = {
    **{noun: {*NOUNS} for noun in NOUNS if noun != "plan"},
    "clock": set(),
    "rundir": {"clock", "errors"},
    "line_file": set(),
    "runreader": {"analysis", "clock", "errors", "rundir", "sample", "samples", "schemas"},
    "arguments": {"plan", "settings"},
    "voice": {"plain_text"},
    "cli": {"arguments", "commands", "errors", "plain_text", "process", "settings", "spelling", "voice"},
    "__main__": {"cli"},
}
"""The same for modules that are a room of their own."""

INSIDE_LOAD: dict[str, set[str]] = {
    "wire": set(),
    "engine": {"wire"},
    "roles": {"engine", "wire"},
    "user": {"engine", "roles"},
}
"""Within `load` too every arrow goes one way: the wire knows no run, the engine no Locust."""

LIBRARIES: dict[str, str] = {
    "azure": r"credentials\.agent\.(arm|azure_errors|clouds|control_plane|identity)",
    "flask": r"live\.",
    "gevent": r"process\.supervise|load\.|live\.(headless|otlp_export)|"
    r"credentials\.(agent\.client|manager|relay\.master|relay\.worker)",
    "jinja2": r"report\.html",
    "locust": r"load\.(__main__|roles\.(locust_(messages|monitor|plugin|sockets|stats)|request_events|session)|user)",
    "matplotlib": r"report\.(axes|canvas|draw_)|capacity\.draw",
    "msal": r"credentials\.agent\.(azure_errors|identity)",
    "msgspec": r"plan\.expectation|schemas|history\.(ledger|mlflow\.messages)|calibration\.stream_peer_tools|"
    r"load\.(roles\.|engine\."
    r"(answer_reader|body_checks|chat_fields|chat_file|conversation|prompts|request_file|tokens|vocabulary))",
    "opentelemetry": r"otlp\.(collector|figures|messages|spans)",
    "prometheus_client": r"live\.prometheus|calibration\.watching",
    "pyarrow": r"samples\.",
    "shtab": r"commands\.completion",
    "requests": r"credentials\.requests_auth|otlp\.collector",
    "tokenizers": r"load\.engine\.vocabulary",
    "trustme": r"emulator\.",
    "uvloop": r"emulator\.",
    "zmq": r"load\.roles\.locust_sockets",
}
"""The only modules that may name a library. `load.roles.session` needs Locust's runners to know its role,
`locust_messages`, `_monitor`, `_sockets` and `_stats` replace functions of it, `user` is its User; nobody else knows
that there is a Locust."""

IMPURE = {
    *("asyncio", "http", "io", "logging", "multiprocessing", "os", "select", "selectors", "shutil", "signal", "socket"),
    *("subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "bench.clock"),
}
CONFESSED = {
    "bench.credentials.agent.azure_clock": {"threading"},  # a lock around two numbers
    "bench.credentials.relay.seal": {"os"},  # entropy for a nonce
}
"""Pure modules that need one thing of the world, and say so."""

PURE_BY_DESIGN = {
    *(f"bench.{noun}" for noun in NOUNS),
    *(f"bench.plan.{noun}" for noun in ("expectation", "lengths", "options", "prompt_plan", "reading")),
    *(f"bench.plan.{noun}" for noun in ("request_plan", "run_plan", "variants")),
    *("bench.target.cloud", "bench.target.endpoint_kinds", "bench.target.scoring_uri"),
    *("bench.credentials.lease", "bench.credentials.policy", "bench.load.engine.arrivals", "bench.load.engine.outcome"),
    *("bench.emulator.state", "bench.emulator.faults", "bench.emulator.routes", "bench.emulator.tokens"),
    *("bench.analysis.quantiles", "bench.analysis.auth_failures", "bench.analysis.compare", "bench.analysis.trust"),
    *("bench.analysis.summary", "bench.gates.expression", "bench.gates.evaluate", "bench.report.text"),
    *("bench.live.origin", "bench.live.start_form"),
}


@cache
def sources() -> dict[str, str]:
    """Every module of the package."""
    found = {}
    for path in sorted((REPOSITORY / "bench").rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path.read_text(encoding="utf-8")
    return found


@cache
def modules() -> dict[str, ast.Module]:
    """Parsed, which takes a second: not while tests are collected, in each process of xdist's."""
    return {name: ast.parse(source) for name, source in sources().items()}


@cache
def imports(name: str) -> frozenset[str]:
    """What a module imports, anywhere in it: modules of this package by their full name, others as written."""
    found = set()
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            module = node.module or ""
            found |= {full if (full := f"{module}.{alias.name}") in modules() else module for alias in node.names}
    return frozenset(found)


def room(name: str) -> str:
    """`bench.load.wire.connection` is in `load`; `bench.clock` is a room of its own."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "bench"


def rooms_entered_by(name: str) -> set[str]:
    return {room(target) for target in imports(name) if target.split(".")[0] == "bench"} - {room(name), "bench"}


@cache
def pure_modules() -> tuple[str, ...]:
    """Those whose docstring says so."""
    says = {name: source.split('"""')[1] if source.startswith('"""') else "" for name, source in sources().items()}
    return tuple(
        name
        for name, text in says.items()
        if (re.search(r"\bPure\b", text) or re.search(r"\bpure\b", text.partition("\n")[0])) and "Edge" not in text
    )


def brought_along(names: list[str]) -> dict[str, list[str]]:
    """The heavy packages that each of `names` brings along first, imported one after the other in a fresh process."""
    program = (
        "import importlib, json, sys\n"
        "seen, brought = set(), {}\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        f"    new = {{heavy for heavy in {HEAVY!r} if heavy in sys.modules}} - seen\n"
        "    seen |= new\n"
        "    if new: brought[name] = sorted(new)\n"
        "print(json.dumps(brought))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("name", [*ROOMS, *SINGLE])
def test_a_room_is_entered_only_from_where_it_may(name: str) -> None:
    """Each arrow between rooms is one that the table allows."""
    allowed = ROOMS.get(name, SINGLE.get(name, set()))
    wrong = {
        module: sorted(rooms_entered_by(module) - allowed)
        for module in modules()
        if room(module) == name and rooms_entered_by(module) - allowed
    }
    assert wrong == {}


@pytest.mark.parametrize("name", INSIDE_LOAD)
def test_inside_the_engine_arrows_go_one_way(name: str) -> None:
    """user -> roles -> engine -> wire."""
    inside = {module for module in modules() if module.startswith(f"bench.load.{name}")}
    assert inside
    entered = {
        target.split(".")[2]
        for module in inside
        for target in imports(module)
        if target.startswith("bench.load.") and len(target.split(".")) > 2
    }
    assert entered - {name} <= INSIDE_LOAD[name]


def test_every_room_is_in_the_table() -> None:
    """A new room says what it may import before it is built."""
    assert {room(name) for name in modules()} - {"bench", "commands"} == ROOMS.keys() | SINGLE.keys()


def test_nobody_imports_the_emulator() -> None:
    """It shares nothing with the client: a wrong header that agrees with itself would pass."""
    importers = [name for name in modules() if room(name) != "emulator" and "emulator" in rooms_entered_by(name)]
    assert importers == []


def test_nobody_but_the_command_line_imports_commands() -> None:
    """They stand at the top."""
    importers = [name for name in modules() if "commands" in rooms_entered_by(name) and room(name) != "cli"]
    assert importers == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_known_only_to_its_edge(library: str) -> None:
    """Whoever wants to replace it finds all of it there."""
    importers = [name for name in modules() if any(target.split(".")[0] == library for target in imports(name))]
    strangers = [name for name in importers if not re.match(LIBRARIES[library], name.removeprefix("bench."))]
    assert strangers == []
    assert importers or library == "msal", f"nobody imports {library} any more"


def test_pure_is_what_the_design_calls_pure() -> None:
    """None of them has quietly stopped saying so."""
    assert set(pure_modules()) >= PURE_BY_DESIGN


@pytest.mark.parametrize("name", pure_modules())
def test_a_pure_module_touches_nothing(name: str) -> None:
    """It imports no clock, file system, process or network, and only pure modules of this package."""
    touched = {
        target for target in imports(name) if target in IMPURE or target.split(".")[0] in IMPURE
    } - CONFESSED.get(name, set())
    assert touched == set()
    mixed = {
        target
        for target in imports(name)
        if target in modules() and target not in pure_modules() and not target.endswith(f".{room(name)}")
    }
    assert mixed == set()


@pytest.mark.parametrize("name", [*sorted({room(name) for name in pure_modules()} - {*NOUNS}), "nouns"])
def test_pure_modules_bring_nothing_heavy(name: str) -> None:
    """In a fresh process: no gevent, locust, azure or matplotlib came along."""
    wanted = [
        module for module in pure_modules() if (room(module) in NOUNS if name == "nouns" else room(module) == name)
    ]
    assert brought_along(wanted) == {}


def test_commands_bring_nothing_heavy() -> None:
    """`bench report`, `gate` and `diff` work unpatched, and `--help` comes at once; Locust is a child process."""
    names = [name for name in modules() if room(name) in {"cli", "commands", "launch", "plan", "target", "runreader"}]
    assert brought_along(names) == {}


def test_the_check_of_fresh_processes_can_fail() -> None:
    """It sees what the edges bring along."""
    found = brought_along(["bench.errors", "bench.load.wire.connection", "bench.load.user"])
    assert found.keys() == {"bench.load.wire.connection", "bench.load.user"}
    assert found["bench.load.wire.connection"] == ["gevent"]
    assert "locust" in found["bench.load.user"]


def test_locustfiles_come_in_by_the_front_door() -> None:
    """They are what a newcomer copies: of `load` they know the user only, of `credentials` its public names only."""
    doors = {
        "bench.load.user",
        "bench.credentials",
        "bench.target.spec",
        "bench.plan.options",
        "bench.plan.reading",
        *(f"bench.{noun}" for noun in NOUNS),
    }
    for path in (REPOSITORY / "locustfiles").glob("*.py"):
        entered = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                entered.add(node.module)
            elif isinstance(node, ast.Import):
                entered |= {alias.name for alias in node.names}
        ours = {name for name in entered if name is not None and name.split(".")[0] == "bench"}
        assert "bench.load.user" in ours, path.name
        assert ours <= doors, path.name
