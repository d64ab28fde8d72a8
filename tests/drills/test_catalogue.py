"""The drills there are, before any is carried out."""

from __future__ import annotations

import pytest

from bench.drills.catalogue import DRILLS
from bench.drills.drill import ClientFaultKind
from bench.emulator.faults import FaultKind, parse_script


@pytest.mark.parametrize("name", DRILLS)
def test_the_emulator_understands_its_script(name: str) -> None:
    """Every word of it, and it fits in the run."""
    drill = DRILLS[name]
    faults = parse_script([dict(fault) for fault in drill.faults])
    assert faults or drill.client_faults or "outlives" in name
    assert 0 <= drill.begins_s <= drill.ends_s <= drill.duration_s
    assert all(fault.at_s is None or fault.at_s + (fault.for_s or 0) <= drill.duration_s for fault in faults)


def test_what_can_happen_happens() -> None:
    """Keys, tokens, clocks, identity, ARM, roles, auth mode, agent: every fault the credential manager is made for."""
    faults = [fault for drill in DRILLS.values() for fault in parse_script([dict(fault) for fault in drill.faults])]
    assert {fault.key for fault in faults if fault.kind is FaultKind.ROTATE_KEY} == {"primary", "secondary", "both"}
    assert {fault.tokens for fault in faults if fault.kind is FaultKind.REVOKE_TOKENS} == {
        "aml_token",
        "aad_token",
        "arm",
    }
    assert {fault.by_s for fault in faults if fault.kind is FaultKind.CLOCK_SKEW} == {-600, 600}
    answers = {
        kind: {fault.answer for fault in faults if fault.kind is kind} for kind in (FaultKind.IDENTITY, FaultKind.ARM)
    }
    assert answers[FaultKind.IDENTITY] >= {"400", "429", "500", "hang", "refuse"}
    assert answers[FaultKind.ARM] >= {"401", "403", "404", "429", "503", "slow", "malformed"}
    assert answers[FaultKind.ARM] >= {"expired_times", "refresh_after_expiry", "missing_times", "hang", "refuse"}
    throttled = [fault for fault in faults if fault.answer == "429" and fault.kind is FaultKind.ARM]
    assert {fault.retry_after_s is None for fault in throttled} == {True, False}
    kinds = {fault.kind for fault in faults}
    assert {FaultKind.DENY, FaultKind.AUTH_MODE} <= kinds
    assert {fault.kind for drill in DRILLS.values() for fault in drill.client_faults} == set(ClientFaultKind)
