"""Looking at a run while it goes on, for `--abort-on-fail` and `--extend-up-to`. Edge: reads the run's folder.

The samples are on disk a second after they were taken, so the watcher is this process, not Locust's: what it
computes costs the measured process nothing but the core they may share.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass

from bench.errors import BenchError
from bench.gates.arguments import Gates
from bench.rundir import RunDir

_NICENESS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """When a run has gone on for long enough. `base_s` is the duration that was asked for."""

    gates: Gates
    base_s: float
    extends: bool
    aborts: bool

    def enough(self, folder: RunDir) -> bool:
        """True when the gates are lost for good, or when an extended run has decided them."""
        from bench.analysis.summary import summarise
        from bench.gates.evaluate import judge
        from bench.gates.extend import hopeless, needs_more
        from bench.runreader import load_run

        _step_back()
        try:
            run = load_run(folder.path)
        except BenchError:
            return False  # nothing is written yet
        last_ns = int(run.samples.done_ns.max(initial=0))
        so_far = dataclasses.replace(run, manifest={**run.manifest, "ended": {"at_ns": last_ns, "reason": "decided"}})
        summary = summarise(so_far, deadlines_ms=self.gates.deadlines_ms)
        gates, baseline = self.gates.gates, self.gates.baseline
        measured_s = so_far.span_s
        if self.aborts and hopeless(gates, summary, baseline, measured_s=measured_s):
            return True
        if not self.extends or measured_s < self.base_s:
            return False
        results = [judge(gate, summary, baseline) for gate in gates]
        return needs_more(results, summary, grown=measured_s / self.base_s) == 0


def _step_back() -> None:
    """Let the measured process go first. Only a privileged user could step forward again."""
    if (niceness := os.nice(0)) < _NICENESS:
        os.nice(_NICENESS - niceness)
