"""What is read back is checked: each key missing, of another type, from a newer version; each file that is no file.

Every call is made as the command line makes it, in this process: a code of design section 7, one line, no traceback.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import cli, schemas
from bench.errors import BenchError, UsageError
from bench.gates import baseline as baselines
from bench.gates.kept import kept
from bench.report import plots
from bench.rundir import RunDir
from bench.runreader import load_run
from tests.analysis.synthetic import Side, write_run

SCHEMAS = Path(__file__).parents[1] / "docs" / "schemas"
WRONG: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, "x", "", [], [7], {}, {"x": 7})
GATES = ("--gate", "response_time.p99 < 2s", "--gate", "refresh_failures == 0", "--gate", "dropped_arrivals == 0")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small runs, reported on and judged, and a baseline of the first."""
    folder = tmp_path_factory.mktemp("stored")
    for name, seed in (("run", 1), ("other", 2)):
        write_run(folder / name, rate=60, duration_s=4, sides=(Side("key"), Side("aml_token")), seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(plots, "draw", lambda *_: {})
        for words in (["gate", "run", *GATES], ["report", "other"], ["baseline", "save", "run", "--as", "main"]):
            assert cli._run(words) in {0, 11}
    return folder


@pytest.fixture
def place(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working directory; nothing is drawn."""
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "draw", lambda *_: {})
    return tmp_path


def mutations(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, Callable[[Any], None]]]:
    """Every key (the first of each list) taken away, and given each wrong value; what it is called, and how."""
    keys: list[Any] = list(value) if isinstance(value, dict) else [0] if isinstance(value, list) and value else []
    for key in keys:
        here = (*path, key)

        def parent(root: Any, here: tuple[Any, ...] = here) -> Any:
            for step in here[:-1]:
                root = root[step]
            return root

        yield f"without {here}", lambda root, at=parent, key=key: at(root).pop(key)
        for wrong in WRONG:
            yield f"{here} = {wrong!r}", lambda root, at=parent, key=key, wrong=wrong: at(root).__setitem__(key, wrong)
        yield from mutations(value[key], here)


def refusal(action: Callable[[], Any]) -> str:
    """The one line that an action is refused with, or empty."""
    try:
        action()
    except BenchError as exc:
        return exc.describe()
    return ""


def call(words: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """A command's exit code; whatever goes wrong is one line."""
    code = cli._run(words)
    said = capsys.readouterr().err
    assert code in {0, 2, 4, 10, 11}, said
    assert code not in {2, 4} or "error: " not in said or len([x for x in said.splitlines() if "error: " in x]) == 1
    return code


@pytest.mark.parametrize("name", sorted(schemas.PUBLISHED))
def test_the_published_schemas_are_those_of_the_code(name: str) -> None:
    """`make schemas` writes them anew."""
    file = SCHEMAS / f"{name}.json"
    text = json.dumps(schemas.json_schema(name), indent=2) + "\n"
    if os.environ.get("UPDATE_SCHEMAS"):
        file.write_text(text)
    assert file.exists(), "run: make schemas"
    assert file.read_text() == text, "run: make schemas"
    known = {*schemas.PUBLISHED, "requests", "history"}  # those of `load.engine.request_file` and `history.entry`
    assert {file.stem for file in SCHEMAS.glob("*.json")} <= known


@pytest.mark.slow
def test_a_manifest_in_which_anything_is_wrong(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused with 4; what is accepted gives the figures that the whole manifest gives, or says that it cannot."""
    file = place / "run" / "manifest.json"
    text = file.read_text()
    whole = json.loads(text)
    free = (
        "versions",
        "host",
        "seed",
        "endpoint",
        "scoring_uri",
        "request_bytes",
        "pacer",
        "payload",
        "ca_file",
        "client_",
    )
    taken = []
    for name, change in mutations(whole):
        damaged = json.loads(text)
        change(damaged)
        file.write_text(json.dumps(damaged))
        if said := refusal(lambda: load_run(place / "run")):
            assert "manifest.json" in said, name
        else:
            taken.append((name, damaged))
    assert len(taken) > 50
    for name, damaged in taken:
        if any(word in name for word in free):
            continue
        file.write_text(json.dumps(damaged))
        assert call(["gate", "run", *GATES], capsys) in {0, 2, 4, 10, 11}, name
    file.write_text(json.dumps({**whole, "added by a newer version": {"x": 1}}))
    assert call(["report", "run"], capsys) == 0


@pytest.mark.parametrize("command", [["gate", "run", *GATES], ["report", "run"], ["diff", "other", "run"]])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe{", b"[]", b"null", b"[" * 100_000, b'{"run_id": "x"}', b'{"a": NaN}', None]
)
def test_a_manifest_that_is_none(
    command: list[str], content: bytes | None, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Empty, cut, another encoding, another thing, a folder: exit code 4 and one line that names it."""
    file = place / "run" / "manifest.json"
    file.unlink()
    file.mkdir() if content is None else file.write_bytes(content)
    assert cli._run(command) == 4
    said = capsys.readouterr().err
    assert said.startswith("error: run/manifest.json ")
    assert len(said.splitlines()) == 1


def test_a_newer_manifest_is_refused_and_a_byte_order_mark_is_none_of_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place / "run" / "manifest.json"
    whole = json.loads(file.read_text())
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(whole).encode())
    assert cli._run(["report", "run"]) == 0
    file.write_text(json.dumps({**whole, "schema_version": 2}))
    assert cli._run(["report", "run"]) == 4
    assert "has schema_version 2, this version reads 1: update this tool" in capsys.readouterr().err


def test_a_baseline_in_which_anything_is_wrong(place: Path) -> None:
    """Refused where the command line is read, before anything is sent; what is accepted can be judged by."""
    file = place / "results" / "baselines" / "main.json"
    text = file.read_text()
    whole = json.loads(text)
    refused = 0
    for name, change in mutations(whole):
        if "'variants', 'aml_token'" in name:
            continue  # as key
        damaged = json.loads(text)
        change(damaged)
        file.write_text(json.dumps(damaged))
        refused += bool(refusal(lambda: baselines.load("main")))
    assert refused > 500
    for words in ({"summary": None}, {"schema_version": True}, {"summary": {**whole["summary"], "variants": []}}):
        file.write_text(json.dumps({**whole, **words}))
        with pytest.raises(UsageError, match="does not fit its schema"):
            baselines.load("main")


def test_a_baseline_that_was_accepted_judges_without_a_traceback(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys that gates ask for, in the ways that a schema accepts: null figures, no interval."""
    file = place / "results" / "baselines" / "main.json"
    text = file.read_text()
    for figure in ("response_time_ms", "response_time_ms_interval"):
        damaged = json.loads(text)
        damaged["summary"]["variants"]["key"][figure] = {}
        file.write_text(json.dumps(damaged))
        gate = ["gate", "run", "--baseline", "main", "--gate", "response_time.p50{variant=key} <= baseline + 5%"]
        assert call(gate, capsys) in {0, 11}


def test_a_bad_baseline_stops_the_run_before_its_first_request(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and no run's folder."""
    (place / "results" / "baselines" / "main.json").write_text('{"schema_version": 1, "summary": null}')
    code = cli._run(["run", "--emulator", "--out", "never", "--baseline", "main", "--gate", "requests > 1"])
    assert code == 2
    assert "does not fit its schema" in capsys.readouterr().err
    assert not (place / "never").exists()


@pytest.mark.parametrize("name", ["x" * 300, "../x", "", "a/b", "x\0y", "-x"])
def test_a_name_that_no_baseline_can_have(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit code 2."""
    with pytest.raises(UsageError):
        baselines.load(name)
    if name.startswith("x" * 9):
        assert cli._run(["baseline", "save", "run", "--as", name]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_folder_where_a_file_should_be(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For each file of a run: one line, or a report that says what is missing."""
    for file in ("flights.jsonl", "health/w0.jsonl", "samples/w0.arrows", "summary.json", "gates.json", "report.html"):
        run = place / file.replace("/", "-")
        shutil.copytree(place / "run", run)
        (run / file).unlink(missing_ok=True)
        (run / file).mkdir()
        for words in (["report", str(run)], ["gate", str(run), *GATES], ["baseline", "save", str(run), "--as", "x"]):
            code = call(words, capsys)
            assert code != 0 or file in {"report.html", "gates.json", "health/w0.jsonl", "flights.jsonl"}, (file, words)


def test_summaries_in_which_anything_is_wrong_make_no_baseline(place: Path) -> None:
    """What is saved can be loaded again: either the summary is refused, or the baseline is one."""
    file = place / "run" / "summary.json"
    whole = json.loads(file.read_text())
    keys = ("schema_version", "run_id", "trust", "measured_s", "variants", "comparison")
    del whole["variants"]["aml_token"]  # as key
    text = json.dumps(whole)
    manifest = load_run(place / "run").manifest
    for name, change in mutations({key: whole[key] for key in keys}):
        if any(word in name for word in ("distribution", "per_quantile", "decomposition", "_interval")):
            continue
        damaged = json.loads(text)
        change(damaged)
        file.write_text(json.dumps(damaged))
        if not refusal(lambda: baselines.save(schemas.load(file, schemas.Summary), manifest, name="new")):
            assert baselines.load("new").name == "new", name


def test_missing_files_are_no_data_and_never_zero(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A gate on what is not known has NO_DATA, and the report says what is missing."""
    (place / "run" / "flights.jsonl").unlink()
    assert cli._run(["gate", "run", "--gate", "refresh_failures == 0"]) == 11
    assert "NO_DATA" in capsys.readouterr().out
    assert "flights.jsonl is missing" in (place / "run" / "report.html").read_text()
    shutil.rmtree(place / "run" / "health")
    assert cli._run(["gate", "run", "--gate", "dropped_arrivals == 0"]) == 11
    assert "NO_DATA" in capsys.readouterr().out
    summary = json.loads((place / "run" / "summary.json").read_text())
    assert summary["trust"]["verdict"] == "SUSPECT"
    assert summary["trust"]["dropped_arrivals"] is None
    assert "no health record of w0" in (place / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("flights.jsonl", lambda text: text.split("\n", 1)[1], "flights.jsonl has"),
        ("flights.jsonl", lambda text: text[:-20], "is cut off in its last line"),
        ("flights.jsonl", lambda text: text + '{"variant": 3}\n', "line 3 does not fit its schema"),
        ("health/w0.jsonl", lambda text: text.rsplit("\n", 2)[0] + "\n", "is not the one that this run ended with"),
        ("health/w0.jsonl", lambda text: "x" + text, "line 1 is no JSON"),
    ],
)
def test_lines_that_are_missing_or_damaged(file: str, change: Callable[[str], str], says: str, place: Path) -> None:
    """Part of a file is not taken for all of it."""
    path = place / "run" / file
    path.write_text(change(path.read_text()))
    run = load_run(place / "run")
    assert any(says in problem for problem in run.problems), run.problems
    assert run.flights_known is not file.startswith("flights")
    assert bool(run.health["w0"]) is not file.startswith("health")


def test_gate_results_stay_with_the_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report made again shows them; gates that are asked again replace them; damaged ones are reported."""
    assert cli._run(["gate", "run", "--gate", "response_time.p50 < 1ms"]) == 10
    junit = (place / "run" / "junit.xml").read_text()
    assert cli._run(["report", "run"]) == 0
    page = (place / "run" / "report.html").read_text()
    assert "response_time.p50 &lt; 1ms" in page
    assert "FAIL" in page
    assert (place / "run" / "junit.xml").read_text() == junit
    assert cli._run(["gate", "run", "--gate", "requests >= 1"]) == 0
    kept = json.loads((place / "run" / "gates.json").read_text())
    assert [entry["gate"] for entry in kept["results"]] == ["requests >= 1"]
    (place / "run" / "gates.json").write_text(json.dumps({**kept, "run_id": "another"}))
    capsys.readouterr()
    assert cli._run(["report", "run"]) == 4
    assert "gates.json is of run another" in capsys.readouterr().err


def test_gates_in_which_anything_is_wrong(place: Path) -> None:
    file = place / "run" / "gates.json"
    text = file.read_text()
    whole = json.loads(text)
    refused = 0
    for _, change in mutations(whole):
        damaged = json.loads(text)
        change(damaged)
        file.write_text(json.dumps(damaged))
        refused += bool(refusal(lambda: kept(RunDir(place / "run"), run_id="run")))
    assert refused > 100


def test_a_run_that_still_goes_on_is_not_judged(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its files changed a moment ago, and its manifest does not say that it ended."""
    file = place / "run" / "manifest.json"
    values = json.loads(file.read_text())
    for key in ("ended", "samples", "flights"):
        del values[key]
    file.write_text(json.dumps(values))
    assert cli._run(["gate", "run", *GATES]) == 4
    assert "still goes on" in capsys.readouterr().err
    for path in [file, *(place / "run" / "health").iterdir(), *(place / "run" / "samples").iterdir()]:
        os.utime(path, (1, 1))
    assert cli._run(["gate", "run", *GATES]) == 4
    assert "killed" in (place / "run" / "report.html").read_text()


def test_a_line_cut_off_is_left_out(tmp_path: Path) -> None:
    """At every byte of a killed run's file: the whole lines before it are read; one that has ended is damaged."""
    path = tmp_path / "flights.jsonl"
    line = {"variant": "é", "cause": "initial", "outcome": "ok", "started_ns": 1, "ended_ns": 2}
    path.write_text(2 * (json.dumps(line) + "\n"))
    whole = path.read_bytes()
    first = whole.index(b"\n")
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        expected = 0 if cut < first + 1 else 1 if cut < len(whole) else 2
        assert schemas.load_lines(path, schemas.Flight, cut=True) == (expected * [line], ""), cut
        ends_whole = cut in {0, first + 1, len(whole)}
        assert ("is cut off" in schemas.load_lines(path, schemas.Flight, cut=False)[1]) is not ends_whole
