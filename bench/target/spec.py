"""What a run is aimed at, found from its options. Edge: reads the environment and `config.json`, asks ARM.

    --emulator               an emulator of its own
    --endpoint NAME[,NAME]   online endpoints of an Azure ML workspace
    --scoring-uri URI[,URI]  any server, with a static secret from BENCH_KEY or BENCH_TOKEN

One of the three; nothing falls back to the emulator, for a gate in CI would turn green on it. The last two may be given
together, with --auth-mode: then nothing is read from ARM, and the credential alone is fetched.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bench.endpoint import AuthMode, Endpoint, SignIn, Workspace
from bench.errors import CredentialError, UsageError
from bench.plan.reading import is_on, words_of
from bench.plan.request_plan import Header, RequestPlan, checked_value, listed, request_plan_of
from bench.plan.run_plan import Variant, parse_duration_s
from bench.plan.variants import Sides, distinguished, sides_of, uris_of
from bench.target.authorities import trusting_context
from bench.target.client_certificate import ClientCertificate
from bench.target.cloud import CLOUD_VARIABLE, METADATA_VARIABLE, cloud_of
from bench.target.endpoint_kinds import check_kind
from bench.target.local_emulator import LocalEmulator
from bench.target.scoring_uri import DEFAULT_PORTS, read_scoring_uri
from bench.target.workspace import find_workspace

KEY_VARIABLE = "BENCH_KEY"
TOKEN_VARIABLE = "BENCH_TOKEN"  # noqa: S105 - the variable's name

_CHOICES = (
    "choose one: --emulator (the one that comes with this tool), --endpoint NAME (with subscription, resource group and"
    " workspace), or --scoring-uri URI (with BENCH_KEY or BENCH_TOKEN set)"
)
_ID = re.compile(r"[A-Za-z0-9.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """A target before anybody was asked: plain values, no secret.

    `endpoints` pairs with `auth_modes`; `scoring_uris` likewise for a bare URI (there with `secret_numbers`, the n of
    BENCH_KEY_n), and for endpoints of which nothing is to be read. `own_modes`: the endpoints are measured in whatever
    mode they have. `agent_env` is what the credential agent needs in its environment beyond this process's (an
    emulator's addresses).
    """

    kind: str
    auth_modes: tuple[AuthMode, ...]
    endpoints: tuple[str, ...] = ()
    scoring_uris: tuple[str, ...] = ()
    workspace: Workspace | None = None
    agent_env: tuple[tuple[str, str], ...] = ()
    sign_in: SignIn = dataclasses.field(default_factory=SignIn)
    own_modes: bool = False
    secret_numbers: tuple[int, ...] = ()

    @property
    def reads_endpoints(self) -> bool:
        """Whether ARM is asked what the endpoints are."""
        return bool(self.endpoints) and not self.scoring_uris

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TargetSpec:
        """The inverse of `as_json`."""
        workspace = values["workspace"]
        return cls(
            kind=values["kind"],
            auth_modes=tuple(AuthMode(mode) for mode in values["auth_modes"]),
            endpoints=tuple(values["endpoints"]),
            scoring_uris=tuple(values["scoring_uris"]),
            workspace=Workspace(**workspace) if workspace else None,
            agent_env=tuple((name, value) for name, value in values["agent_env"]),
            sign_in=SignIn(**values["sign_in"]),
            own_modes=values["own_modes"],
            secret_numbers=tuple(values["secret_numbers"]),
        )


def kind_of(values: Mapping[str, Any]) -> str:
    """`emulator`, `endpoint` or `scoring_uri`; UsageError unless one was given. An endpoint may come with its URI."""
    given = [kind for kind in ("emulator", "endpoint", "scoring_uri") if _given(values, kind)]
    if not given:
        raise UsageError("no target given", hint=_CHOICES)
    if given == ["endpoint", "scoring_uri"]:
        if not str(values.get("auth_mode") or "").strip():
            raise UsageError(
                "--endpoint with --scoring-uri needs --auth-mode, for nothing is read from Azure then",
                hint="add --auth-mode key, aml_token or aad_token",
            )
        return "endpoint"
    if len(given) > 1:
        flags = " and ".join("--" + kind.replace("_", "-") for kind in given)
        raise UsageError(f"{flags} exclude each other", hint=_CHOICES)
    return given[0]


def spec_of(
    values: Mapping[str, Any], *, default_modes: tuple[AuthMode, ...], emulator: LocalEmulator | None
) -> TargetSpec:
    """The target that the options name. `emulator` is the running one when `kind_of` says so.

    Without `default_modes` and --auth-mode endpoints are measured in their own mode, anything else with a key.
    """
    kind = kind_of(values)
    sides = sides_of(values, default_modes=default_modes)
    modes = sides.auth_modes
    sign_in = sign_in_of(values)
    certificate = ClientCertificate.of(values)
    if kind == "emulator":
        assert emulator is not None  # noqa: S101 - the caller started it
        facts = emulator.facts
        return TargetSpec(
            kind=kind,
            auth_modes=modes,
            endpoints=tuple(facts["endpoints"][mode] for mode in modes),
            workspace=Workspace(**facts["workspace"]),
            agent_env=tuple(facts["env"].items()),
            sign_in=sign_in,
        )
    if kind == "endpoint":
        trusting_context(sign_in.ca_file)
        _check_uris(sides, certificate)
        for name in sides.endpoints:
            check_kind(name)
        return TargetSpec(
            kind=kind,
            auth_modes=modes,
            endpoints=sides.endpoints,
            scoring_uris=sides.scoring_uris,
            workspace=_workspace_for(values, modes, bool(sides.scoring_uris)),
            sign_in=sign_in,
            own_modes=sides.own_modes,
        )
    numbers = _secret_numbers(sides)
    for mode, uri, number in zip(modes, sides.scoring_uris, numbers, strict=True):
        if number and not os.environ.get(_variable_of(mode, number), "").strip():
            base = _variable_of(mode)
            raise UsageError(
                f"{base} would be sent to several origins: a static secret goes to one",
                hint=f"set {base}_{number} for {origin_of(uri)}, and so on in the list's order",
            )
        static_secret(mode, number)
    trusting_context(sign_in.ca_file)
    _check_uris(sides, certificate)
    return TargetSpec(kind=kind, auth_modes=modes, scoring_uris=sides.scoring_uris, secret_numbers=numbers)


def _check_uris(sides: Sides, certificate: ClientCertificate) -> None:
    for uri in sides.scoring_uris:
        read_scoring_uri(uri, shows_certificate=bool(certificate))


def origin_of(uri: str) -> str:
    """Scheme, host and port of a URI: whoever answers there sees the secret. The path is not part of it."""
    try:
        parts = urlsplit(uri)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:  # no port, or half an IPv6 address: whoever reads the URI says so
        return uri
    return f"{parts.scheme}://{(parts.hostname or '').rstrip('.')}:{port}"


def secret_origins(values: Mapping[str, Any], *, default_modes: tuple[AuthMode, ...]) -> frozenset[tuple[str, str]]:
    """Which static secret, by its variable, would be sent to which origin; none without a `--scoring-uri`."""
    sides = sides_of(values, default_modes=default_modes)
    triples = (
        zip(sides.auth_modes, sides.scoring_uris, _secret_numbers(sides), strict=True) if sides.scoring_uris else ()
    )
    return frozenset((_variable_of(mode, number), origin_of(uri)) for mode, uri, number in triples)


def _secret_numbers(sides: Sides) -> tuple[int, ...]:
    """For each side the n of BENCH_KEY_n or BENCH_TOKEN_n, its place in the list; 0 where there is one origin."""
    sent = [
        (_variable_of(mode), origin_of(uri)) for mode, uri in zip(sides.auth_modes, sides.scoring_uris, strict=True)
    ]
    return tuple(
        place if len({origin for name, origin in sent if name == variable}) > 1 else 0
        for place, (variable, _) in enumerate(sent, start=1)
    )


def header_origins(values: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Which variable of `--header-env` would be sent to which target: origins, endpoints, or the emulator."""
    lines = listed(str(values.get("header_env") or ""))
    variables = [variable for _, variable in request_plan_of({"header_env": json.dumps(lines)}).header_env]
    targets = [f"endpoint {name}" for name in words_of(str(values.get("endpoint") or ""))]
    targets += ["emulator"] if is_on(values.get("emulator")) else []
    origins = [origin_of(uri) for uri in uris_of(str(values.get("scoring_uri") or ""))]
    several = len(set(origins)) > 1
    sent = {(variable, target) for variable in variables for target in targets}
    for place, origin in enumerate(origins, start=1):
        sent |= {(f"{variable}_{place}" if several else variable, origin) for variable in variables}
    return frozenset(sent)


def _variable_of(mode: AuthMode, number: int = 0) -> str:
    name = KEY_VARIABLE if mode is AuthMode.KEY else TOKEN_VARIABLE
    return f"{name}_{number}" if number else name


def static_secret(mode: AuthMode, number: int = 0) -> str:
    """The secret for a bare scoring URI, from the environment. CredentialError when there is none to be sent."""
    name = _variable_of(mode, number)
    secret = os.environ.get(name, "").strip()
    if not secret:
        raise CredentialError(
            f"no secret for auth mode {mode}: {name} is not set",
            hint=f"export {name}=..., it is never an option because the process list would show it",
        )
    if secret.lower().startswith("bearer ") or secret.lower() == "bearer":
        raise CredentialError(f"{name} begins with the word Bearer", hint="leave Bearer out: it is added to the header")
    if len(secret) > 1 and secret[0] == secret[-1] and secret[0] in "\"'`":
        raise CredentialError(f"{name} stands in quotes", hint="leave the quotes out: they would be sent")
    if any(not "!" <= character <= "~" for character in secret):
        raise CredentialError(f"{name} holds a character that cannot be sent in a header", hint="check for line breaks")
    return secret


def secret_headers_of(request: RequestPlan, uris: Sequence[str] = (), place: int = 0) -> tuple[Header, ...]:
    """The headers of `--header-env` with their values, which are secrets, for the side at `place` of `uris`.

    URIs of several origins have a variable each: VARIABLE_1, VARIABLE_2, ... CredentialError when one is not set.
    """
    several = len({origin_of(uri) for uri in uris}) > 1
    headers = []
    for name, base in request.header_env:
        variable = f"{base}_{place + 1}" if several else base
        value = os.environ.get(variable, "").strip()
        if not value:
            raise CredentialError(
                f"--header-env {name}={variable}: {variable} is not set", hint=f"export {variable}=..."
            )
        headers.append((name, checked_value(value, where=f"--header-env {name}={base}")))
    return tuple(headers)


def variants_of(spec: TargetSpec, described: Mapping[str, Endpoint], sides: Sides) -> tuple[Variant, ...]:
    """One variant a side. UsageError when an endpoint does not use the mode it is to be measured in."""
    if spec.kind == "scoring_uri":
        bare = [
            Variant(name="", auth_mode=mode, scoring_uri=uri, secret_number=number)
            for mode, uri, number in zip(spec.auth_modes, spec.scoring_uris, spec.secret_numbers, strict=True)
        ]
        return distinguished(bare, sides)
    if not spec.reads_endpoints:
        known = zip(spec.auth_modes, spec.endpoints, spec.scoring_uris, strict=True)
        return distinguished(
            [Variant(name="", auth_mode=mode, endpoint=one, scoring_uri=uri) for mode, one, uri in known], sides
        )
    variants = []
    if spec.own_modes:
        spec = dataclasses.replace(spec, auth_modes=tuple(described[name].auth_mode for name in spec.endpoints))
    for mode, endpoint_name in zip(spec.auth_modes, spec.endpoints, strict=True):
        endpoint = described[endpoint_name]
        if endpoint.auth_mode is not mode:
            raise UsageError(
                f"endpoint {endpoint_name} uses {endpoint.auth_mode}, not {mode}",
                hint=f"run with --auth-mode {endpoint.auth_mode}, or name another endpoint;"
                " an endpoint has one auth mode, so comparing two takes two endpoints: --endpoint A,B",
            )
        variants.append(Variant(name="", auth_mode=mode, endpoint=endpoint_name, scoring_uri=endpoint.scoring_uri))
    return distinguished(variants, sides)


def _given(values: Mapping[str, Any], kind: str) -> bool:
    return is_on(values.get(kind)) if kind == "emulator" else bool(str(values.get(kind) or "").strip())


def _workspace_for(values: Mapping[str, Any], modes: tuple[AuthMode, ...], has_uri: bool) -> Workspace:
    """An Entra token for a known URI concerns no workspace."""
    if has_uri and set(modes) == {AuthMode.AAD_TOKEN}:
        return Workspace(subscription_id="", resource_group="", workspace_name="")
    return find_workspace(values).workspace


def sign_in_of(values: Mapping[str, Any]) -> SignIn:
    """How the principal signs in. UsageError for an unknown cloud, and for an id that cannot be one."""
    named, given_by = str(values.get("cloud") or "").strip(), "--cloud"
    if not named:
        named, given_by = os.environ.get(CLOUD_VARIABLE, "").strip(), CLOUD_VARIABLE
    if not os.environ.get(METADATA_VARIABLE):  # else the agent reads there which clouds there are
        named = cloud_of(named, given_by=given_by).name
    ids = {name: str(values.get(name) or "").strip() for name in ("tenant_id", "client_id")}
    for name, value in ids.items():
        if not _ID.fullmatch(value):
            raise UsageError(
                f"--{name.replace('_', '-')}: {value!r} is no id", hint="letters, digits, dots and hyphens"
            )
    timeout_s = parse_duration_s(str(values.get("sign_in_timeout") or "10s"), option="--sign-in-timeout")
    if timeout_s <= 0:
        raise UsageError("--sign-in-timeout must be above 0", hint="write 10s")
    return SignIn(cloud=named, timeout_s=timeout_s, ca_file=str(values.get("ca_file") or ""), **ids)
