"""Each step of closing runs, whatever the others did; and what is set aside for the manifest is enough."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.line_file import LineFile
from bench.load.roles.closing import close_all
from bench.load.roles.manifest_file import ManifestFile


class TestSteps:
    def test_every_step_runs(self) -> None:
        """And each that broke is named."""
        done: list[str] = []

        def broken() -> None:
            done.append("b")
            raise OSError(errno.ENOSPC, "full")

        steps = [("a", lambda: done.append("a")), ("b", broken), ("c", lambda: done.append("c"))]
        assert [name for name, _ in close_all(steps)] == ["b"]
        assert done == ["a", "b", "c"]

    def test_the_end_of_the_process_comes_last(self) -> None:
        """A step that is interrupted does not keep the others from running, and is not forgotten."""
        done: list[str] = []

        def interrupted() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            close_all([("a", interrupted), ("b", lambda: done.append("b"))])
        assert done == ["b"]


BEGIN: dict[str, Any] = {"run_id": "r", "workers": []}
END: dict[str, Any] = {"run_id": "r", "workers": ["w0"], "ended": {"reason": "lost", "at_ns": 5}}


class TestManifest:
    def test_it_is_whole_at_any_time(self, tmp_path: Path) -> None:
        """Room for its end is set aside while the run goes on, and given back."""
        path = tmp_path / "manifest.json"
        manifest = ManifestFile(path)
        manifest.write(BEGIN)
        assert json.loads(path.read_text()) == BEGIN
        assert sum(each.stat().st_size for each in tmp_path.iterdir()) > 50_000
        assert manifest.finish(END)
        assert json.loads(path.read_text()) == END
        assert [each.name for each in tmp_path.iterdir()] == ["manifest.json"]

    @pytest.mark.parametrize("refusals", [1, 2])
    def test_it_gets_its_end_on_a_full_disk(
        self, refusals: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In the room set aside; over its own bytes when somebody else has taken that."""
        path = tmp_path / "manifest.json"
        manifest = ManifestFile(path)
        manifest.write(BEGIN)
        replace, left = manifest._replace, [refusals]

        def refuse(text: bytes) -> None:
            if left[0]:
                left[0] -= 1
                raise OSError(errno.ENOSPC, "full")
            replace(text)

        monkeypatch.setattr(manifest, "_replace", refuse)
        assert manifest.finish(END)
        assert json.loads(path.read_text()) == END
        assert [each.name for each in tmp_path.iterdir()] == ["manifest.json"]

    def test_a_real_full_disk(self, tmp_path: Path) -> None:
        """A file system of 512 KiB, filled up while the run goes on."""
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
        try:
            path = tmp_path / "manifest.json"
            manifest, lines = ManifestFile(path), LineFile(tmp_path / "w0.jsonl")
            manifest.write(BEGIN)
            while lines.write({"filling": "x" * 4000}):
                assert path.stat().st_size
            assert manifest.finish(END)
            assert json.loads(path.read_text()) == END
            assert [json.loads(line) for line in (tmp_path / "w0.jsonl").read_text().splitlines()]
            lines.close()
        finally:
            subprocess.run(["umount", str(tmp_path)], check=True)

    def test_it_gets_its_end_without_a_descriptor(self, tmp_path: Path) -> None:
        """Somebody holds all that this process may have: its bytes are open since it was written."""
        program = (
            "import json, os, resource, sys; from pathlib import Path\n"
            "from bench.load.roles.manifest_file import ManifestFile\n"
            "manifest = ManifestFile(Path(sys.argv[1]))\n"
            "manifest.write({})\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
            "try: os.open('/dev/null', os.O_RDONLY)\n"
            "except OSError as exc: print(exc.strerror)\n"
            "print(manifest.finish({'ended': 'yes'}))\n"
        )
        path = tmp_path / "manifest.json"
        done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
        assert done.stdout == "Too many open files\nTrue\n"
        assert json.loads(path.read_text()) == {"ended": "yes"}
        assert list(tmp_path.iterdir()) == [path]

    def test_a_limit_on_the_size_of_files(self, tmp_path: Path) -> None:
        """RLIMIT_FSIZE below a manifest: an OSError, and nothing is left behind."""
        program = (
            "import resource, sys; from pathlib import Path\n"
            "from bench.load.roles.manifest_file import ManifestFile\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
            "try: ManifestFile(Path(sys.argv[1])).write({})\n"
            "except OSError as exc: print(exc.strerror)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "manifest.json")], capture_output=True, text=True, check=True
        )
        assert done.stdout == "File too large\n"
        assert list(tmp_path.iterdir()) == []
