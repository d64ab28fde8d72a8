"""What the next run of a Locust is aimed at: its options read, its target found, its requests there. Edge: emulator.

Whatever makes no run is a BenchError here, before a folder is made or anything is sent.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from bench.credentials.state import preflight
from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.load.engine import request_source
from bench.load.engine.request_source import RequestSource
from bench.load.roles import locust_options
from bench.load.roles.managers import ManagerPool
from bench.load.wire.address import proxy_of
from bench.plain_text import write_line
from bench.plan.options import MOST_PER_S
from bench.plan.reading import plan_of, words_of
from bench.plan.run_plan import RunPlan
from bench.plan.variants import sides_of, uris_of
from bench.rundir import refuse_pipe
from bench.sample import WorkloadModel
from bench.target.local_emulator import LocalEmulator
from bench.target.spec import header_origins, kind_of, secret_headers_of, secret_origins, spec_of, variants_of


class Preparation:
    """The `plan` of the next run, the credential managers in `pool`, the emulator where it is the target.

    `notes` are what a person should know before the run.
    """

    def __init__(self, environment: Any, started: Mapping[str, Any], *, default_modes: tuple[AuthMode, ...]) -> None:
        """`started`: the options that Locust was started with. No other target gets their secrets."""
        self.plan: RunPlan | None = None
        self.pool: ManagerPool | None = None
        self.notes: tuple[str, ...] = ()
        self._environment = environment
        self._started = started
        self._default_modes = default_modes
        self._emulator: LocalEmulator | None = None

    def prepare(self, options: Mapping[str, Any]) -> None:
        """Find the target and read every option. Raises BenchError."""
        values, source = self._read(options)
        if kind_of(values) == "emulator":
            self._emulator = self._emulator or LocalEmulator.start(str(values.get("emulator_options") or ""))
            values["ca_file"] = values.get("ca_file") or self._emulator.facts.get("ca_file", "")
        spec = spec_of(values, default_modes=self._default_modes, emulator=self._emulator)
        if self.pool is None or self.pool.spec != spec:
            self.close_pool()
            self.pool = ManagerPool(spec, say=_say)
        plan = request_source.complete(plan_of(values, target=spec.kind, variants=(), payload_sha256=""), source)
        locust_options.refuse_shape(self._environment, open_model=plan.model is WorkloadModel.OPEN)
        described = self.pool.describe(timeout_s=plan.start_timeout_s)
        lasts_s = None if plan.duration_s is None else plan.warm_up_s + plan.duration_s
        known = self.pool.notes(lasts_s=lasts_s)
        for deployment in words_of(plan.deployment) or ("",):
            known += preflight(described.values(), deployment, plan.timeout_s)
        self.notes = tuple(dict.fromkeys(known))
        for line in self.notes:
            _say(line)
        sides = sides_of(values, default_modes=self._default_modes)
        self.plan = dataclasses.replace(plan, variants=variants_of(spec, described, sides))
        _name_proxies(self.plan)

    def check(self, options: Mapping[str, Any]) -> None:
        """Whether a run can be started with these, as far as nobody has to be asked. Raises BenchError."""
        values, _ = self._read(options)
        if kind_of(values) != "emulator":
            spec_of(values, default_modes=self._default_modes, emulator=None)

    def load_of(self, options: Mapping[str, Any]) -> RunPlan:
        """The plan that these would make, as far as they say how much load there is. UsageError for what is no load."""
        values = _values(options)
        variants = self.plan.variants if self.plan is not None else ()
        try:
            spawn_rate = float(values.get("spawn_rate") or 0)
        except ValueError:
            spawn_rate = 0.0
        if not 0 < spawn_rate <= MOST_PER_S:
            raise UsageError("spawn_rate is no number of users a second", hint=f"above 0, at most {MOST_PER_S:,.0f}")
        return plan_of(values, target="", variants=variants, payload_sha256="")

    def begin_faults(self, zero_ns: int) -> list[dict[str, Any]]:
        """The faults of the emulator's script, which count from the run's zero, and what is left of those that were
        started by hand before it; in the manifest's form."""
        if self._emulator is None:
            return []
        faults = self._emulator.begin_faults(zero_ns)
        return [
            {"do": one["do"], "answer": one["answer"], "from_s": max(one["begins_s"], 0.0), "to_s": one["ends_s"]}
            for one in faults
            if one["phase"] != "over"
        ]

    @property
    def emulator_admin(self) -> str:
        """Where the emulator that this process started takes faults; empty without one."""
        return str(self._emulator.facts["admin"]) if self._emulator is not None else ""

    def stop_emulator(self) -> None:
        """Safe to call twice."""
        emulator, self._emulator = self._emulator, None
        if emulator is not None:
            emulator.stop()

    def close_pool(self) -> None:
        """Safe to call twice."""
        pool, self.pool = self.pool, None
        if pool is not None:
            pool.close()

    def _read(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], RequestSource]:
        """The options under the names of a plan, and the requests. The options' own errors come first."""
        values = _values(options)
        plan = plan_of(values, target="", variants=(), payload_sha256="")
        for option in ("ca_file", "client_cert", "client_key"):
            refuse_pipe(str(values.get(option) or ""), option=f"--{option.replace('_', '-')}")
        self._refuse_other_origins(values)
        uris = uris_of(str(values.get("scoring_uri") or ""))
        for place in range(max(len(uris), 1)):
            secret_headers_of(plan.request, uris, place)
        source = request_source.load(plan)
        request_source.complete(plan, source)
        return values, source

    def _refuse_other_origins(self, values: Mapping[str, Any]) -> None:
        """A secret is bound to the target that Locust was started with."""
        bound, asked = (secret_origins(each, default_modes=self._default_modes) for each in (self._started, values))
        named, wanted = header_origins(self._started), header_origins(values)
        if (bound and not asked <= bound) or not wanted <= named:
            raise UsageError(
                "scoring_uri and auth_mode would send a secret elsewhere than Locust was started with",
                hint="start Locust for that target",
            )


def _values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Locust's names of options, and a plan's."""
    return {**options, "users": options.get("num_users"), "processes": options.get("processes") or 1}


def _name_proxies(plan: RunPlan) -> None:
    for shown in sorted({proxy.shown for variant in plan.variants if (proxy := proxy_of(variant.scoring_uri))}):
        _say(f"requests go through the proxy {shown}: its time is part of every figure (NO_PROXY makes exceptions)")


def _say(line: str) -> None:
    write_line(sys.stderr, line)
