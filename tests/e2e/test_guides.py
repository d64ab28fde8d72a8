"""The examples of the guides, run as they stand but for their durations."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.comment.platform_stub import Stub, serving
from tests.comment.test_post import variables
from tests.e2e.command import bench

pytestmark = pytest.mark.slow

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
PAGES = ("payloads", "comparing-deployments", "tasks", "streaming", "conversations", "runs")


def commands(page: str) -> list[str]:
    """What a page types after `bench`."""
    blocks = re.findall(r"```console\n(.*?)```", (GUIDES / f"{page}.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in re.sub(r"\\\n\s+", "", block).splitlines()]
    return [line.removeprefix("$ bench ") for line in lines]


def examples(page: str) -> list[str]:
    """The commands of a page that need nothing but an emulator."""
    return [line for line in commands(page) if "--emulator" in line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the pages speak of."""
    guide = (GUIDES / "payloads.md").read_text()
    (mix,) = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "mix.jsonl").write_text(mix)
    shop, *_ = re.findall(r"```python\n(.*?)```", (GUIDES / "tasks.md").read_text(), re.DOTALL)
    (tmp_path / "shop.py").write_text(shop)
    (chats,) = re.findall(r"```json\n(.*?)```", (GUIDES / "streaming.md").read_text(), re.DOTALL)
    (tmp_path / "chats.jsonl").write_text(chats)
    (talks,) = re.findall(r"```json\n(.*?)```", (GUIDES / "conversations.md").read_text(), re.DOTALL)
    (tmp_path / "talks.jsonl").write_text(talks)
    (tmp_path / "cat.png").write_bytes(b"\x89PNG")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "cat.png").write_bytes(b"\x89PNG")
    (tmp_path / "trace.jsonl").write_text('{"body": 1, "at_s": 0.1}\n{"body": 2, "at_s": 1.5}\n')
    return tmp_path


@pytest.mark.parametrize(("page", "line"), [(page, line) for page in PAGES for line in examples(page)])
def test_an_example(page: str, line: str, folder: Path) -> None:
    """It ends well, or, where it needs a baseline of one's own, says that there is none."""
    words = [word if not re.fullmatch(r"\d+s", word) else "1s" for word in shlex.split(line)]
    words = ["2" if before == "--runs" else word for before, word in zip(["", *words], words, strict=False)]
    done = bench(*words, *([] if "--warm-up" in words else ["--warm-up", "0"]), cwd=folder)
    if "--baseline" in words:
        assert (done.code, "no baseline" in done.err) == (2, True), done
        return
    if "--until" in words and done.code == 11:
        assert "INCONCLUSIVE overhead.p50 +- 0.1ms: not reached in 2 runs" in done.out, done
        return
    well = {0, 10, 11} if "--gate" in words else {0}
    assert done.code in well or (done.code == 4 and "INVALID" in done.out), done  # on a machine this busy
    failed = [block["error_rate"] for block in done.summary_at(folder)["variants"].values()]
    assert not any(failed) or {"mix.jsonl", "shop.py"} & set(words), (page, done)


@pytest.mark.parametrize("line", [line for line in examples("capacity") if line.startswith("scale ")])
def test_a_step_in_load(line: str, tmp_path: Path) -> None:
    """As long as it stands there: nothing shorter tells when a load is taken."""
    done = bench(*shlex.split(line), cwd=tmp_path)
    assert done.code in {0, 11} or (done.code == 4 and "INVALID" in done.out), done
    assert done.code == 4 or "20 to 100/s: " in done.out


def test_a_pull_request_from_the_run_to_each_comment(tmp_path: Path) -> None:
    """The page's commands in their order: the run against an emulator, the comments against stubs of three servers."""
    typed = [shlex.split(line, comments=True) for line in commands("pull-requests")]
    run, *comments, compare = typed
    assert (run[0], compare[0], {words[0] for words in comments}) == ("run", "compare", {"comment"})
    short = {"scorer": "", "--endpoint": "--emulator", "2m": "1s", "5": "2", "blue,pr-17": "blue,green"}
    measured = bench(*filter(None, (short.get(word, word) for word in run)), "--warm-up", "0", cwd=tmp_path)
    assert measured.code in {0, 4, 10, 11}, measured
    with serving(Stub()) as stub:
        for words in comments:
            done = bench(*words, cwd=tmp_path, **variables(stub.url))
            assert done.code == 0, done
        assert stub.comments
        assert all(comment["text"].startswith("**") for comment in stub.comments)
    assert (tmp_path / "comment.md").read_text().count("response_time.p99") >= 1
    words = [*filter(None, (short.get(word, word) for word in compare)), "--duration", "1s", "--warm-up", "0"]
    compared = bench(*words, "--emulator-options", "--traffic blue=100 green=0", cwd=tmp_path)
    assert compared.code in {0, 4, 10, 11}, compared


def test_there_are_examples() -> None:
    """Or the test above tries nothing."""
    assert all(examples(page) for page in PAGES)
