"""What a run is aimed at, found from its options. Edge: reads the environment and `config.json`, asks ARM.

    --emulator               an emulator of its own
    --endpoint NAME[,NAME]   online endpoints of an Azure ML workspace
    --scoring-uri URI[,URI]  any server, with a static secret from BENCH_KEY or BENCH_TOKEN

One of the three; nothing falls back to the emulator, for a gate in CI would turn green on it. The last two may be given
together, with --auth-mode: then nothing is read from ARM, and the credential alone is fetched.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bench.authorities import trusting_context
from bench.cloud import CLOUD_VARIABLE, cloud_of
from bench.endpoint import AuthMode, Endpoint, SignIn, Workspace
from bench.errors import CredentialError, UsageError
from bench.local_emulator import LocalEmulator
from bench.options import auth_modes_of, is_on, words_of
from bench.plan import Variant, name_variants, parse_duration_s
from bench.workspace import find_workspace

KEY_VARIABLE = "BENCH_KEY"
TOKEN_VARIABLE = "BENCH_TOKEN"  # noqa: S105 - the variable's name

_CHOICES = (
    "choose one: --emulator (the one that comes with this tool), --endpoint NAME (with subscription, resource group and"
    " workspace), or --scoring-uri URI (with BENCH_KEY or BENCH_TOKEN set)"
)
_ID = re.compile(r"[A-Za-z0-9.-]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """A target before anybody was asked: plain values, no secret.

    `endpoints` pairs with `auth_modes`; `scoring_uris` likewise for a bare URI, and for endpoints of which nothing is
    to be read. `own_modes`: the endpoints are measured in whatever mode they have. `agent_env` is what the credential
    agent needs in its environment beyond this process's (an emulator's addresses).
    """

    kind: str
    auth_modes: tuple[AuthMode, ...]
    endpoints: tuple[str, ...] = ()
    scoring_uris: tuple[str, ...] = ()
    workspace: Workspace | None = None
    agent_env: tuple[tuple[str, str], ...] = ()
    sign_in: SignIn = dataclasses.field(default_factory=SignIn)
    own_modes: bool = False

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
    chosen = auth_modes_of(str(values.get("auth_mode") or ""), default=default_modes)
    modes, own = chosen or (AuthMode.KEY,), not chosen
    sign_in = sign_in_of(values)
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
        names = _spread(words_of(values["endpoint"]), modes, option="--endpoint")
        uris = words_of(str(values.get("scoring_uri") or ""))
        trusting_context(sign_in.ca_file)
        return TargetSpec(
            kind=kind,
            auth_modes=modes,
            endpoints=names,
            scoring_uris=_spread(uris, modes, option="--scoring-uri") if uris else (),
            workspace=_workspace_for(values, modes, bool(uris)),
            sign_in=sign_in,
            own_modes=own,
        )
    uris = _spread(words_of(values["scoring_uri"]), modes, option="--scoring-uri")
    sent = secret_origins(values, default_modes=default_modes)
    for name in dict(sent):
        origins = sorted(origin for variable, origin in sent if variable == name)
        if len(origins) > 1:
            raise UsageError(
                f"{name} would be sent to {' and '.join(origins)}: a static secret goes to one origin",
                hint="measure one of them at a time",
            )
    for mode in modes:
        static_secret(mode)
    return TargetSpec(kind=kind, auth_modes=modes, scoring_uris=uris)


def origin_of(uri: str) -> str:
    """Scheme, host and port of a URI: whoever answers there sees the secret. The path is not part of it."""
    try:
        parts = urlsplit(uri)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:  # no port, or half an IPv6 address: whoever reads the URI says so
        return uri
    return f"{parts.scheme}://{(parts.hostname or '').rstrip('.')}:{port}"


def secret_origins(values: Mapping[str, Any], *, default_modes: tuple[AuthMode, ...]) -> frozenset[tuple[str, str]]:
    """Which static secret, by its variable, would be sent to which origin; none without a `--scoring-uri`."""
    uris = words_of(str(values.get("scoring_uri") or ""))
    if not uris:
        return frozenset()
    modes = auth_modes_of(str(values.get("auth_mode") or ""), default=default_modes)
    pairs = zip(modes, _spread(uris, modes, option="--scoring-uri"), strict=True)
    return frozenset((_variable_of(mode), origin_of(uri)) for mode, uri in pairs)


def _variable_of(mode: AuthMode) -> str:
    return KEY_VARIABLE if mode is AuthMode.KEY else TOKEN_VARIABLE


def static_secret(mode: AuthMode) -> str:
    """The secret for a bare scoring URI, from the environment. CredentialError when there is none to be sent."""
    name = _variable_of(mode)
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


def variants_of(spec: TargetSpec, described: Mapping[str, Endpoint]) -> tuple[Variant, ...]:
    """One variant an auth mode. UsageError when an endpoint does not use the mode it is to be measured in."""
    names = name_variants(spec.auth_modes)
    if spec.kind == "scoring_uri":
        return tuple(
            Variant(name=name, auth_mode=mode, scoring_uri=uri)
            for name, mode, uri in zip(names, spec.auth_modes, spec.scoring_uris, strict=True)
        )
    if not spec.reads_endpoints:
        sides = zip(names, spec.auth_modes, spec.endpoints, spec.scoring_uris, strict=True)
        return tuple(
            Variant(name=name, auth_mode=mode, endpoint=one, scoring_uri=uri) for name, mode, one, uri in sides
        )
    variants = []
    if spec.own_modes:
        spec = dataclasses.replace(spec, auth_modes=tuple(described[name].auth_mode for name in spec.endpoints))
        names = name_variants(spec.auth_modes)
    for name, mode, endpoint_name in zip(names, spec.auth_modes, spec.endpoints, strict=True):
        endpoint = described[endpoint_name]
        if endpoint.auth_mode is not mode:
            raise UsageError(
                f"endpoint {endpoint_name} uses {endpoint.auth_mode}, not {mode}",
                hint=f"run with --auth-mode {endpoint.auth_mode}, or name another endpoint;"
                " an endpoint has one auth mode, so comparing two takes two endpoints: --endpoint A,B",
            )
        variants.append(Variant(name=name, auth_mode=mode, endpoint=endpoint_name, scoring_uri=endpoint.scoring_uri))
    return tuple(variants)


def _given(values: Mapping[str, Any], kind: str) -> bool:
    return is_on(values.get(kind)) if kind == "emulator" else bool(str(values.get(kind) or "").strip())


def _spread(words: tuple[str, ...], modes: tuple[AuthMode, ...], *, option: str) -> tuple[str, ...]:
    """One word serves all modes; otherwise there must be one a mode."""
    if len(words) == 1:
        return words * len(modes)
    if len(words) != len(modes):
        raise UsageError(f"{option} has {len(words)} names, --auth-mode {len(modes)}", hint="give one an auth mode")
    return words


def _workspace_for(values: Mapping[str, Any], modes: tuple[AuthMode, ...], has_uri: bool) -> Workspace:
    """An Entra token for a known URI concerns no workspace."""
    if has_uri and set(modes) == {AuthMode.AAD_TOKEN}:
        return Workspace(subscription_id="", resource_group="", workspace_name="")
    return find_workspace(values).workspace


def sign_in_of(values: Mapping[str, Any]) -> SignIn:
    """How the principal signs in. UsageError for an unknown cloud, and for an id that cannot be one."""
    named = str(values.get("cloud") or "")
    cloud = cloud_of(named) if named else cloud_of(os.environ.get(CLOUD_VARIABLE, ""), given_by=CLOUD_VARIABLE)
    ids = {name: str(values.get(name) or "").strip() for name in ("tenant_id", "client_id")}
    for name, value in ids.items():
        if not _ID.fullmatch(value):
            raise UsageError(
                f"--{name.replace('_', '-')}: {value!r} is no id", hint="letters, digits, dots and hyphens"
            )
    timeout_s = parse_duration_s(str(values.get("sign_in_timeout") or "10s"), option="--sign-in-timeout")
    if timeout_s <= 0:
        raise UsageError("--sign-in-timeout must be above 0", hint="write 10s")
    return SignIn(cloud=cloud.name, timeout_s=timeout_s, ca_file=str(values.get("ca_file") or ""), **ids)
