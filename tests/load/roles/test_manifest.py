"""What of a plan stands in the manifest, and what does not."""

from __future__ import annotations

import json
from pathlib import Path

from bench.clock import ClockAnchor
from bench.load.roles.manifest import manifest_of
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir


def test_of_a_client_certificate_the_names_only(tmp_path: Path) -> None:
    """Where somebody keeps a private key is nobody's business."""
    plan = RunPlan(target="scoring_uri", variants=(), client_cert="/home/me/mine.pem", client_key="/home/me/mine.key")
    made = manifest_of(RunDir(tmp_path), plan, anchor=ClockAnchor.now())
    assert (made["plan"]["client_cert"], made["plan"]["client_key"]) == ("mine.pem", "mine.key")
    assert "/home/me" not in json.dumps(made)
