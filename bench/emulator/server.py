"""The emulator put together: state, fault schedule, ports, logs, and the loop that serves them. Edge.

`__main__` calls `serve`, which returns when the process is asked to stop.
"""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic_ns
from typing import Any

from bench.emulator.admin import Admin
from bench.emulator.announce import announcement
from bench.emulator.certificates import make_certificates
from bench.emulator.conditions import Conditions
from bench.emulator.controlplane import Handler
from bench.emulator.dataplane import ScoringFront
from bench.emulator.fault_schedule import FaultSchedule
from bench.emulator.faults import Fault
from bench.emulator.identity import IdentitySecrets, identify
from bench.emulator.journal import Journal
from bench.emulator.listeners import Listener
from bench.emulator.messages import Handled, Request, Response
from bench.emulator.model import Model
from bench.emulator.planes import Plane, serve_control, serve_scoring
from bench.emulator.room import have_descriptors
from bench.emulator.routes import route
from bench.emulator.service_time import ServiceTimes
from bench.emulator.settings import ENDPOINT_NAMES, Settings
from bench.emulator.state import State
from bench.emulator.tokens import TokenAuthority
from bench.emulator.truth import TruthFile
from bench.emulator.wallclock import WallClock

_TICK_S = 0.5


class Emulator:
    """Everything that serves. `folder` takes the CA's file, and the logs unless the settings name a place."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._clock = WallClock()
        self._secrets = IdentitySecrets(header=secrets.token_urlsafe(24), client_secret=secrets.token_urlsafe(24))
        self._requests = Journal(settings.log or folder / "requests.jsonl", at_once=True)
        self._refusals = Journal(folder / "refusals.jsonl", at_once=False)
        self._truth = TruthFile(settings.truth) if settings.truth else None
        authority = TokenAuthority(f"https://sts.windows.net/{settings.tenant_id}/")
        self._state = State(settings, authority=authority, make_key=lambda: secrets.token_hex(16))
        self._model = Model(loop, self._state, self._truth)
        self._fronts = self._make_fronts()
        self._ca_file = folder / "ca.pem"
        self._planes = {name: Plane() for name in ("arm", "identity", "admin", "scoring")}
        self._ports = self._make_ports()
        self._schedule = FaultSchedule(loop, self._state, self._on_conditions)
        self._admin = Admin(self._schedule, self._fronts, requests=self._requests, refusals=self._refusals)

    async def open(self, script: tuple[Fault, ...]) -> dict[str, Any]:
        """Bind every port and say where everything is. PortTakenError when one is taken, OSError without room.

        The zero of `script` is this moment, or with `hold_faults` none, until `POST /admin/start` moves it.
        """
        for plane in self._planes.values():
            await plane.open()
        have_descriptors()
        tls = "_tls" if self._settings.tls else ""
        for mode, name in ENDPOINT_NAMES.items():
            self._state.endpoints[name].scoring_uri = f"{self._ports[mode + tls].url}/score"
        self.tick()
        self._schedule.start(math.inf if self._settings.hold_faults else None)
        self._schedule.add(script)
        return self._announce()

    def tick(self) -> None:
        """What is done now and then: the date, and the files."""
        self._model.answers.set_date(self._said_now_s())
        self._refusals.flush()
        if self._truth is not None:
            self._truth.flush()

    def close(self) -> None:
        """Stop serving and write everything out."""
        self._schedule.close()
        for plane in self._planes.values():
            plane.close()
        self._model.close()
        self._requests.close()
        self._refusals.close()
        if self._truth is not None:
            self._truth.close()

    def _make_fronts(self) -> list[ScoringFront]:
        model = self._settings.model
        service_times = ServiceTimes(base_ns=model.base_ns, exponential_ns=model.exponential_ns, seed=model.seed)
        return [
            ScoringFront(
                self._state,
                endpoint,
                model=self._model,
                service_times=service_times,
                clock=self._clock,
                refusals=self._refusals,
            )
            for endpoint in self._state.endpoints.values()
        ]

    def _make_ports(self) -> dict[str, Listener]:
        """Name -> port, in the order of their numbers when `--port` fixes the first."""
        tls = make_certificates(self._ca_file)
        ports: dict[str, Listener] = {}

        def add(plane: str, name: str, factory: Callable[[], asyncio.Protocol], *, secure: bool = False) -> None:
            number = self._settings.port + len(ports) if self._settings.port else 0
            ports[name] = Listener(number, factory, tls=tls if secure else None)
            self._planes[plane].listeners.append(ports[name])

        def control(plane: str, handler: Handler) -> Callable[[], asyncio.Protocol]:
            return serve_control(self._planes[plane], handler, self._said_now_s)

        scoring = self._planes["scoring"]
        add("arm", "arm", control("arm", self._answer_arm))
        for front in self._fronts:
            add("scoring", front.endpoint.own_auth_mode, serve_scoring(scoring, front))
        add("identity", "identity", control("identity", self._answer_identity))
        add("admin", "admin", control("admin", lambda request: self._admin.handle(request)))
        add("arm", "arm_tls", control("arm", self._answer_arm), secure=True)
        add("identity", "entra", control("identity", self._answer_identity), secure=True)
        for front in self._fronts:
            add("scoring", f"{front.endpoint.own_auth_mode}_tls", serve_scoring(scoring, front), secure=True)
        return ports

    def _answer_arm(self, request: Request) -> Response:
        base_url = self._ports["arm_tls" if request.secure else "arm"].url
        handled = route(request, self._state, base_url=base_url, now_s=self._clock.now_s())
        return self._logged("arm", request, handled)

    def _answer_identity(self, request: Request) -> Response:
        base_url = self._ports["entra" if request.secure else "identity"].url
        handled = identify(request, self._state, self._secrets, base_url=base_url, now_s=self._clock.now_s())
        return self._logged("identity", request, handled)

    def _logged(self, plane: str, request: Request, handled: Handled) -> Response:
        self._requests.add(
            {
                "at_ns": monotonic_ns(),
                "plane": plane,
                "operation": handled.operation,
                "method": request.method,
                "path": request.path,
                "query": request.query,
                "status": handled.response.status,
                "endpoint": handled.endpoint,
                "principal": handled.principal,
                "fault": handled.fault,
                "client_request_id": request.headers.get("x-ms-client-request-id", ""),
                "user_agent": request.headers.get("user-agent", ""),
            }
        )
        return handled.response

    def _on_conditions(self, conditions: Conditions) -> None:
        self._planes["arm"].apply(conditions.arm)
        self._planes["identity"].apply((conditions.identity,) if conditions.identity else ())
        self._model.answers.set_date(self._said_now_s())

    def _said_now_s(self) -> float:
        return self._clock.now_s() + self._state.conditions.skew_s

    def _announce(self) -> dict[str, Any]:
        settings, ports = self._settings, self._ports
        plain = {mode: f"{ports[mode].url}/score" for mode in ENDPOINT_NAMES}
        secure = {mode: f"{ports[mode + '_tls'].url}/score" for mode in ENDPOINT_NAMES}
        return announcement(
            pid=os.getpid(),
            urls={name: ports[name].url for name in ("arm", "arm_tls", "identity", "admin")},
            scoring_uri=secure if settings.tls else plain,
            scoring_uri_tls=secure,
            workspace={
                "subscription_id": settings.subscription_id,
                "resource_group": settings.resource_group,
                "workspace_name": settings.workspace_name,
            },
            endpoints=ENDPOINT_NAMES,
            entra={
                "authority": ports["entra"].url,
                "tenant_id": settings.tenant_id,
                "client_id": self._state.service_principal.client_id,
                "client_secret": self._secrets.client_secret,
                "ca_file": str(self._ca_file),
            },
            identity_header=self._secrets.header,
            files={
                "ca_file": str(self._ca_file),
                "log": str(self._requests.path),
                "refusals": str(self._refusals.path),
            },
            timer=self._model.timer_kind,
        )


async def serve(
    settings: Settings, *, script: tuple[Fault, ...], folder: Path, on_ready: Callable[[dict[str, Any]], None]
) -> None:
    """Serve until SIGINT or SIGTERM, or the parent's death if that was asked for; `on_ready` gets the announcement."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    parent = settings.die_with_parent or os.getppid()
    emulator = Emulator(settings, folder)
    try:
        on_ready(await emulator.open(script))
        while not stop.is_set():
            emulator.tick()
            if settings.die_with_parent is not None and os.getppid() != parent:
                break
            try:
                await asyncio.wait_for(stop.wait(), _TICK_S)
            except TimeoutError:
                continue
    finally:
        emulator.close()
