"""Reading a run's folder: complete, cut off, old, or hardly there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bench.analysis import trust
from bench.errors import RunInvalid, UsageError
from bench.runreader import load_run
from tests.analysis.run_files import BATCH_ROWS, SCHEMA, write_batches
from tests.analysis.synthetic import Side, write_run


def test_a_complete_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Every sample, flight and health record is there, and nothing is a problem."""
    run = load_run(write_run(tmp_path / "run", rate=100, duration_s=10, warm_up_s=2))

    assert run.problems == ()
    assert len(run.samples) == 1200
    assert run.variants == ("key", "aml_token")
    assert run.samples.counts("phase", np.ones(1200, bool)) == {"warm_up": 200, "measure": 1000}
    assert [flight["cause"] for flight in run.flights if flight["variant"] == "aml_token"] == ["initial", "stale"]
    assert run.health["w0"][-1]["end"] is True
    assert run.window_ns == (2_000_000_000, 12_000_000_000)


def test_columns_equal_what_pyarrow_reads_by_itself(tmp_path: Path) -> None:
    """Numbers and words are the same as in the whole table, although dictionaries are replaced between batches."""
    path = write_run(tmp_path / "run", rate=600, duration_s=20, sides=(Side("key"), Side("aad_token", tail=(0.1, 9.0))))
    with pa.OSFile(str(path / "samples" / "w0.arrows")) as source:
        table = pa.ipc.open_stream(source).read_all()

    samples = load_run(path).samples

    assert table.num_rows > 2 * BATCH_ROWS
    for name in ("intended_ns", "done_ns", "connect_ns", "server_time_ns", "response_bytes", "status", "attempt"):
        assert np.array_equal(getattr(samples, name), table[name].to_numpy())
    for name in ("variant", "outcome", "phase", "deployment"):
        words = [samples.words[name][code] for code in getattr(samples, name)]
        assert words == table[name].to_pylist()


def test_workers_are_joined_and_can_be_distinguished(tmp_path: Path) -> None:
    """The samples of all workers are one run; `worker` says whose each was."""
    run = load_run(write_run(tmp_path / "run", rate=100, duration_s=10, warm_up_s=0, workers=3))

    counts = run.samples.counts("worker", run.measured)
    assert sorted(counts) == ["w0", "w1", "w2"]
    assert sum(counts.values()) == 1000


def test_a_stream_cut_off_in_a_batch_keeps_the_whole_batches(tmp_path: Path) -> None:
    """A killed worker costs its last batch, and the run says which file and how much is left."""
    run = load_run(write_run(tmp_path / "run", rate=400, duration_s=30, warm_up_s=0, cut_off=1000, reason=None))

    assert len(run.samples) == 2 * BATCH_ROWS
    assert any("samples/w0.arrows is cut off after 10000 samples" in problem for problem in run.problems)
    assert any("killed" in problem for problem in run.problems)


def test_a_stream_without_its_end_mark_is_whole(tmp_path: Path) -> None:
    """A worker that was killed between two flushes lost nothing that was on disk."""
    path = write_run(tmp_path / "run", rate=100, duration_s=10, warm_up_s=0, cut_off=8, reason=None)

    assert len(load_run(path).samples) == 1000


def test_whatever_else_is_missing_is_a_problem_not_an_error(tmp_path: Path) -> None:
    """No health, no flights, no `ended`: the samples still load."""
    run = load_run(write_run(tmp_path / "run", rate=50, duration_s=4, health=False, flights=False, reason=None))

    assert len(run.samples) == 300
    assert run.flights == ()
    assert any("no health record of w0" in problem for problem in run.problems)


@pytest.mark.parametrize("content", [None, b"", b"not arrow at all"])
def test_a_run_without_samples_loads(tmp_path: Path, content: bytes | None) -> None:
    """A missing, empty or foreign sample file leaves an empty run with the file named."""
    path = write_run(tmp_path / "run", rate=50, duration_s=4)
    file = path / "samples" / "w0.arrows"
    file.unlink() if content is None else file.write_bytes(content)

    run = load_run(path)

    assert len(run.samples) == 0
    assert run.variants == ("key", "aml_token")
    assert any("samples/w0.arrows" in problem for problem in run.problems)
    assert any("there is no sample" in problem for problem in run.problems)


def test_a_column_that_an_older_version_did_not_write_is_filled_in(tmp_path: Path) -> None:
    """Columns are only ever added: without one the run loads with its neutral value and says so."""
    path = write_run(tmp_path / "run", rate=50, duration_s=4)
    file = path / "samples" / "w0.arrows"
    with pa.OSFile(str(file)) as source:
        table = pa.ipc.open_stream(source).read_all().drop_columns(["attempt", "server_time_ns", "freshness"])
    table = table.replace_schema_metadata({"run_id": "run", "worker": "w0"})
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)

    run = load_run(path)

    assert len(run.samples) == 300
    assert set(run.samples.server_time_ns) == {-1}
    assert run.samples.words["freshness"] == ("",)
    assert "have no checksums: an older version wrote them" in run.problems[0]
    assert "the samples lack attempt, freshness, server_time_ns" in run.problems[1]


def test_a_file_of_another_run_or_worker_is_left_out(tmp_path: Path) -> None:
    """Its samples are counted nowhere, and it is named: another run's, the same file twice, one under a false name."""
    path = write_run(tmp_path / "run", rate=50, duration_s=4, workers=2)
    other = write_run(tmp_path / "other", rate=50, duration_s=4)
    shutil.copy(other / "samples" / "w0.arrows", path / "samples" / "w7.arrows")
    shutil.copy(path / "samples" / "w0.arrows", path / "samples" / "w8.arrows")
    shutil.copy(path / "samples" / "w0.arrows", path / "samples" / "w1.arrows")

    run = load_run(path)

    assert len(run.samples) == 150
    said = "\n".join(run.problems)
    assert "samples/w7.arrows is of run other: it is left out" in said
    assert "samples/w8.arrows is of worker w0: it is left out" in said
    assert "samples/w1.arrows is of worker w0: it is left out" in said
    assert trust.of(run).verdict == "INVALID"


@pytest.mark.parametrize("name", ["run_id", "worker"])
def test_health_mixed_from_another_run_is_a_problem(name: str, tmp_path: Path) -> None:
    """One line of it is enough; lines that do not say whose they are come from an older version."""
    run = write_run(tmp_path / "run", rate=50, duration_s=4)
    file = run / "health" / "w0.jsonl"
    first, *rest = file.read_text().splitlines()
    whose = {"run_id": load_run(run).manifest["run_id"], "worker": "w0"}
    file.write_text("\n".join([json.dumps({**json.loads(first), **whose}), *rest]) + "\n")
    assert load_run(run).problems == ()
    file.write_text("\n".join([json.dumps({**json.loads(first), **whose, name: "other"}), *rest]) + "\n")
    problems = load_run(run).problems
    assert any("health/w0.jsonl has lines of another run or worker" in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("flights.jsonl", {"variant": "key", "cause": "initial", "outcome": "ok", "started_ns": 1, "ended_ns": 2}),
        (
            "failures/w0.jsonl",
            {"variant": "key", "outcome": "ok", "cause": "", "status": 500, "count": 1, "first_ns": 1, "last_ns": 2},
        ),
    ],
)
def test_lines_of_another_run_are_left_out(name: str, line: dict[str, object], tmp_path: Path) -> None:
    """A file copied over, or one that another run went on writing: this run's own lines count, and it is said."""
    path = write_run(tmp_path / "run", rate=50, duration_s=4)
    before, run_id = load_run(path), load_run(path).manifest["run_id"]
    (path / name).parent.mkdir(exist_ok=True)
    with (path / name).open("a") as file:
        for whose in ({"run_id": run_id}, {"run_id": "other"}, {"run_id": "other", "worker": "w0"}):
            file.write(json.dumps({**line, **whose}) + "\n")
    run = load_run(path)
    assert len(run.flights) + len(run.failures) == len(before.flights) + len(before.failures) + 1
    assert f"{name} has 2 lines of another run or worker: they are left out" in run.problems


def test_a_file_cut_between_two_batches_is_a_problem(tmp_path: Path) -> None:
    """What is left is a sound stream; only the manifest knows that there was more."""
    path = write_run(tmp_path / "run", rate=400, duration_s=30, warm_up_s=0)
    file = path / "samples" / "w0.arrows"
    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as stream:
        batches = list(stream)
    write_batches(file, batches[:-1])

    run = load_run(path)

    assert any("samples/w0.arrows has 10000 samples of 12000 that were written" in problem for problem in run.problems)
    assert trust.of(run).verdict == "INVALID"


def test_more_than_256_words_over_all_batches_stay_apart(tmp_path: Path) -> None:
    """A dictionary holds 256 words, but it may be replaced: over a run there can be more."""
    path = write_run(tmp_path / "run", rate=100, duration_s=3, warm_up_s=0)
    file = path / "samples" / "w0.arrows"
    with pa.OSFile(str(file)) as source:
        rows = pa.ipc.open_stream(source).read_all()
    place = SCHEMA.get_field_index("cause")
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as stream:
        for start in (0, 150):
            part = rows.slice(start, 150).to_batches()[0]
            causes = [f"cause {start + i}" for i in range(150)]
            column = pa.DictionaryArray.from_arrays(pa.array(range(150), pa.uint8()), pa.array(causes))
            columns = [column if i == place else part.column(i) for i in range(part.num_columns)]
            stream.write_batch(pa.record_batch(columns, schema=SCHEMA))

    samples = load_run(path).samples

    assert [samples.words["cause"][code] for code in samples.cause] == [f"cause {i}" for i in range(300)]


def test_a_folder_without_a_manifest_is_the_users_mistake(tmp_path: Path) -> None:
    """One clear error that says what to name instead."""
    with pytest.raises(UsageError, match=r"manifest\.json does not exist"):
        load_run(tmp_path)


def test_a_manifest_without_a_plan_is_refused(tmp_path: Path) -> None:
    """Nothing can be said about a run whose intent is not known."""
    path = write_run(tmp_path / "run", rate=50, duration_s=4)
    manifest = json.loads((path / "manifest.json").read_text())
    del manifest["plan"]
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunInvalid, match="missing required field `plan`"):
        load_run(path)
