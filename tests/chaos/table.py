"""The table of `make chaos`: `python -m tests.chaos.table LOG FOLDER` after the runs."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from bench.calibration import table
from bench.rundir import write_json

_HEAD = """# make chaos

{count} runs of 3 s against the emulator on {cores} cores, each with one random fault at a random moment against a
random process. `ended` is how long after its start the slowest of them ended, `gone` how long its last child outlived
`bench`; `struck` are the runs in which the victim was there. Broken: a run that did not end, an exit code that is in no
table, a process left behind, a traceback on the terminal, a sample that had been flushed and cannot be read, or a green
run that is INVALID or was cut.
"""


def row_of(kind: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One kind of fault."""
    codes = Counter(run["code"] for run in runs)
    return {
        "fault": kind,
        "runs": len(runs),
        "struck": sum(bool(run["done"]) for run in runs),
        "exit codes": ", ".join(f"{count} x {code}" for code, count in sorted(codes.items())),
        "ended": max(run["took_s"] for run in runs),
        "gone": max(run["gone_s"] for run in runs),
        "broken": sum(bool(run["broken"]) for run in runs),
    }


def main(log: Path, folder: Path) -> None:
    runs = sorted(map(json.loads, log.read_text().splitlines()), key=lambda run: run["seed"])
    kinds = sorted({run["fault"] for run in runs})
    rows = [row_of(kind, [run for run in runs if run["fault"] == kind]) for kind in kinds]
    broken = "".join(
        f"\n- seed {run['seed']} ({run['fault']}: {run['done']}): {'; '.join(run['broken'])}"
        for run in runs
        if run["broken"]
    )
    text = f"{_HEAD.format(count=len(runs), cores=os.cpu_count())}\n{table.markdown(rows)}\n{broken}"
    write_json(folder / "chaos.json", {"schema_version": 1, "runs": runs})
    (folder / "chaos.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps({"runs": len(runs), "broken": sum(bool(run["broken"]) for run in runs)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
