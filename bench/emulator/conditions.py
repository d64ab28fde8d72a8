"""What the active faults mean for everybody else, as one value that is replaced when it changes. Pure.

`state` overlays the denials and auth modes, `routes` and `identity` ask for their answers, the data plane
reads its delays. Where two faults of a kind overlap, the one written last wins; stalls add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.emulator.faultbook import ActiveFault
from bench.emulator.faults import Fault, FaultKind
from bench.emulator.service_time import Stall


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The faults that are on at this moment; the default is none."""

    identity: Fault | None = None
    arm: tuple[Fault, ...] = ()
    models: tuple[Fault, ...] = ()
    denials: frozenset[tuple[str, str]] = frozenset()
    auth_modes: tuple[tuple[str, str], ...] = ()
    states: tuple[tuple[str, str, str], ...] = ()
    network_access: tuple[tuple[str, str], ...] = ()
    no_machine_identity: bool = False
    skew_s: float = 0.0
    stalls: tuple[Stall, ...] = ()
    validation_delay_ns: int = 0

    def arm_fault(self, operation: str) -> Fault | None:
        """The fault that answers `operation`, if one does."""
        matching = [fault for fault in self.arm if fault.operation in ("", operation)]
        return matching[-1] if matching else None

    def model_fault(self, deployment: str) -> Fault | None:
        """The fault that `deployment`'s model has, if any."""
        matching = [fault for fault in self.models if fault.deployment in ("", deployment)]
        return matching[-1] if matching else None


def conditions_of(active: Sequence[ActiveFault], *, validation_delay_ns: int = 0) -> Conditions:
    """Fold the active faults; `validation_delay_ns` is what the command line asked for when no fault says."""

    def faults(kind: FaultKind) -> tuple[Fault, ...]:
        return tuple(one.fault for one in active if one.fault.kind is kind)

    identity, skews, delays = (
        faults(FaultKind.IDENTITY),
        faults(FaultKind.CLOCK_SKEW),
        faults(FaultKind.VALIDATION_DELAY),
    )
    return Conditions(
        identity=identity[-1] if identity else None,
        arm=faults(FaultKind.ARM),
        models=faults(FaultKind.MODEL),
        denials=frozenset((fault.principal, fault.action) for fault in faults(FaultKind.DENY)),
        auth_modes=tuple((fault.endpoint or "key", fault.to) for fault in faults(FaultKind.AUTH_MODE)),
        states=tuple((fault.endpoint or "key", fault.deployment, fault.to) for fault in faults(FaultKind.STATE)),
        network_access=tuple((fault.endpoint or "key", fault.to) for fault in faults(FaultKind.NETWORK_ACCESS)),
        no_machine_identity=bool(faults(FaultKind.NO_MACHINE_IDENTITY)),
        skew_s=skews[-1].by_s if skews else 0.0,
        stalls=tuple(_stall(one) for one in active if one.fault.kind is FaultKind.STALL),
        validation_delay_ns=round(delays[-1].by_s * 1e9) if delays else validation_delay_ns,
    )


def _stall(active: ActiveFault) -> Stall:
    fault = active.fault
    begins_ns = round(active.since_s * 1e9)
    return Stall(
        begins_ns=begins_ns,
        lasts_ns=round(fault.lasts_s * 1e9),
        every_ns=None if fault.every_s is None else round(fault.every_s * 1e9),
        ends_ns=None if fault.for_s is None else begins_ns + round(fault.for_s * 1e9),
    )
