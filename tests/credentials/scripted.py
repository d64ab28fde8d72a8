"""Sources that do what a script says, for tests of the manager and the relay. No mocks of anything: real sources."""

from collections.abc import Callable

import gevent
from gevent.event import Event

from bench import clock
from bench.credentials import Failure, FailureKind, Grant, Lease
from bench.credentials.lease import NS_PER_S, Validity, validity
from bench.endpoint import AuthMode

DOWN = Failure(kind=FailureKind.UNAVAILABLE, message="the control plane failed (ARM answered 503)")


def token(secret: str, *, life_s: float = 3600.0, refresh_in_s: float | None = None) -> Grant:
    valid = validity(clock.monotonic_ns(), life_s=life_s, refresh_in_s=refresh_in_s)
    return Grant(secrets=(secret,), auth_mode=AuthMode.AML_TOKEN, valid=valid)


class ScriptedSource:
    """Answers each fetch with what `script(number)` returns, once `gate` is open. Counts, and notices overlaps."""

    kind = "scripted"
    auth_mode = AuthMode.AML_TOKEN

    def __init__(self, script: Callable[[int], Grant | Failure]) -> None:
        self.fetches = 0
        self.overlaps = 0
        self.refused: list[Lease | None] = []
        self.gate = Event()
        self.gate.set()
        self._script = script
        self._busy = False

    def fetch(self, refused: Lease | None) -> Grant | Failure:
        self.fetches += 1
        self.overlaps += self._busy
        self.refused.append(refused)
        number = self.fetches
        self._busy = True
        try:
            gevent.sleep(0)
            self.gate.wait()
            return self._script(number)
        finally:
            self._busy = False


class IntegerSource:
    """Every field of grant n says n: secret "n", times n seconds and fractions. A torn or mixed lease would show."""

    kind = "scripted"
    auth_mode = AuthMode.AML_TOKEN

    def __init__(self) -> None:
        self.fetches = 0

    def fetch(self, refused: Lease | None) -> Grant:
        gevent.sleep(0)
        self.fetches += 1
        begin = self.fetches * NS_PER_S
        valid = Validity(issued_at=begin, refresh_after=begin + NS_PER_S // 2, expires_at=begin + NS_PER_S)
        return Grant(secrets=(str(self.fetches),), auth_mode=self.auth_mode, valid=valid)


def agrees_with_itself(lease: Lease) -> bool:
    return (
        lease.secret == str(lease.generation)
        and lease.issued_at == lease.generation * NS_PER_S
        and lease.refresh_after == lease.issued_at + NS_PER_S // 2
        and lease.expires_at == lease.issued_at + NS_PER_S
    )
