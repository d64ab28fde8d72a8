"""Every drill there is: the faults of issue and contract, each at a moment when it hurts. Pure.

Token drills: an aml_token of `_LIVES` is refreshed about 2 s after it was issued (just before the run's zero) and
works until 6.3 s; an Entra token of `_ENTRA_LIVES` at 3.5 s and 6.3 s. An outage of the control plane begins before
that refresh and ends while the old token has life left: nothing may be lost. `outlasting` ones end after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.drills.drill import ClientFault, ClientFaultKind, Drill
from bench.endpoint import AuthMode
from bench.errors import UsageError

_LIVES = "--token-life 8s --refresh-after 3s"
_LONG_LIVES = "--token-life 12s --refresh-after 3s"
_SHORT_LIVES = "--token-life 5s --refresh-after 3s"
_ENTRA_LIVES = "--aad-token-life 8s"
_REFUSED = frozenset({"refused"})


def _at_once(name: str, text: str, mode: AuthMode, fault: Mapping[str, Any], **more: Any) -> Drill:
    """Something that happens 2 s into the run and stays so."""
    entry = {"at": 2.0, **fault}
    return Drill(name=name, text=text, auth_mode=mode, begins_s=2.0, ends_s=2.0, faults=(entry,), **more)


def _arm(name: str, text: str, **words: Any) -> Drill:
    """The control plane is out of order from 1.5 to 4 s, over the refresh at 2 s."""
    entry = {"at": 1.5, "for": 2.5, "do": "arm", **words}
    return Drill(
        name=f"arm_{name}",
        text=f"ARM {text}, while the token has life left",
        auth_mode=AuthMode.AML_TOKEN,
        begins_s=1.5,
        ends_s=4.0,
        faults=(entry,),
        emulator=_LIVES,
    )


def _identity(name: str, text: str, **words: Any) -> Drill:
    """The identity service is out of order from 3 to 5 s, over the refresh at 3.5 s."""
    entry = {"at": 3.0, "for": 2.0, "do": "identity", **words}
    return Drill(
        name=f"identity_{name}",
        text=f"identity {text}, while the token has life left",
        auth_mode=AuthMode.AAD_TOKEN,
        begins_s=3.0,
        ends_s=5.0,
        faults=(entry,),
        emulator=_ENTRA_LIVES,
    )


def _clock(name: str, text: str, *faults: Mapping[str, Any]) -> Drill:
    """Azure's clock and the client's do not agree, for good; tokens are refreshed every 2 s all the while."""
    return Drill(
        name=f"clock_{name}",
        text=text,
        auth_mode=AuthMode.AML_TOKEN,
        begins_s=float(faults[0].get("at", 0.0)),
        ends_s=7.0,
        faults=faults,
        emulator=_SHORT_LIVES,
    )


def _role_removed(name: str, text: str, *, mode: AuthMode, action: str, emulator: str, **more: Any) -> Drill:
    """The principal loses `action` from 1.5 to 4 s."""
    return Drill(
        name=f"role_removed_{name}",
        text=text,
        auth_mode=mode,
        begins_s=1.5,
        ends_s=4.0,
        faults=({"at": 1.5, "for": 2.5, "do": "deny", "action": action},),
        emulator=emulator,
        **more,
    )


_KEYS = (
    _at_once(
        "key_primary_rotated",
        "the primary key is regenerated while in use",
        AuthMode.KEY,
        {"do": "rotate_key", "key": "primary"},
        causes=_REFUSED,
    ),
    _at_once(
        "key_secondary_rotated",
        "the secondary key is regenerated: nobody uses it",
        AuthMode.KEY,
        {"do": "rotate_key", "key": "secondary"},
    ),
    _at_once(
        "key_both_rotated",
        "both keys are regenerated at once",
        AuthMode.KEY,
        {"do": "rotate_key", "key": "both"},
        causes=_REFUSED,
    ),
    Drill(
        name="key_rotated_without_arm",
        text="the primary key is regenerated while ARM answers 503: users wait until the keys can be listed",
        auth_mode=AuthMode.KEY,
        begins_s=2.0,
        ends_s=4.0,
        faults=({"at": 2.0, "do": "rotate_key"}, {"at": 2.0, "for": 2.0, "do": "arm", "answer": "503"}),
        loses=True,
        causes=_REFUSED | {"no_lease"},
    ),
)

_TOKENS = (
    _at_once(
        "aml_token_revoked",
        "the aml_token is revoked early",
        AuthMode.AML_TOKEN,
        {"do": "revoke_tokens", "tokens": "aml_token"},
        causes=_REFUSED,
    ),
    _at_once(
        "aad_token_revoked",
        "the Entra token is revoked early",
        AuthMode.AAD_TOKEN,
        {"do": "revoke_tokens", "tokens": "aad_token"},
        causes=_REFUSED,
    ),
    Drill(
        name="arm_token_revoked",
        text="the principal's ARM token is revoked: it must not come out of MSAL's cache again",
        auth_mode=AuthMode.AML_TOKEN,
        begins_s=1.5,
        ends_s=1.5,
        faults=({"at": 1.5, "do": "revoke_tokens", "tokens": "arm"},),
        emulator=_LIVES,
    ),
    Drill(
        name="token_expires_in_request",
        text="the endpoint freezes over the token's end: what was sent in time is judged too late",
        auth_mode=AuthMode.AML_TOKEN,
        begins_s=2.4,
        ends_s=5.4,
        client_faults=(ClientFault(kind=ClientFaultKind.FREEZE, at_s=2.4, for_s=3.0),),
        emulator="--token-life 5s --refresh-after 4s",
        duration_s=8.0,
        causes=frozenset({"expired"}),
    ),
    Drill(
        name="request_outlives_token",
        text="requests take longer than what is left of their token: judged on arrival, none may fail",
        auth_mode=AuthMode.AML_TOKEN,
        begins_s=0.0,
        ends_s=7.0,
        emulator="--token-life 5s --refresh-after 3s --service-base 2500ms --service-exponential 0",
        rate=20.0,
        users=80,
    ),
)

_CLOCKS = (
    _clock("10_min_fast", "the client's clock is 10 minutes fast", {"do": "clock_skew", "by": -600}),
    _clock("10_min_slow", "the client's clock is 10 minutes slow", {"do": "clock_skew", "by": 600}),
    _clock("steps_forward", "the client's clock jumps 10 minutes ahead", {"at": 2.5, "do": "clock_skew", "by": -600}),
    _clock("steps_back", "the client's clock falls back by 10 minutes", {"at": 2.5, "do": "clock_skew", "by": 600}),
)

_IDENTITY = (
    _identity("400", "answers 400", answer="400"),
    _identity("429", "answers 429 with Retry-After: 1", answer="429", retry_after=1),
    _identity("500", "answers 500", answer="500"),
    _identity("hang", "hangs", answer="hang"),
    _identity("refused", "refuses connections", answer="refuse"),
    Drill(
        name="identity_500_outlasting",
        text="identity answers 500 until after the token's end; MSAL would replay that from memory for up to 60 s",
        auth_mode=AuthMode.AAD_TOKEN,
        begins_s=1.0,
        ends_s=5.0,
        faults=({"at": 1.0, "for": 4.0, "do": "identity", "answer": "500"},),
        emulator="--aad-token-life 5s",
        loses=True,
        causes=frozenset({"no_lease"}),
    ),
)

_ARM = (
    _arm("401", "answers 401", answer="401"),
    _arm("403", "answers 403", answer="403"),
    _arm("404", "answers 404", answer="404"),
    _arm("429_retry_after", "answers 429 with Retry-After: 1", answer="429", retry_after=1),
    Drill(
        name="arm_429",
        text="ARM answers 429 without Retry-After; its sentence asks for 6 s, which is honoured",
        auth_mode=AuthMode.AML_TOKEN,
        begins_s=1.5,
        ends_s=4.0,
        faults=({"at": 1.5, "for": 2.5, "do": "arm", "answer": "429"},),
        emulator=_LONG_LIVES,
        duration_s=9.5,
        renews_within_s=6.0,
    ),
    _arm("503", "answers 503", answer="503"),
    _arm("slow", "takes 1.2 s a call", answer="slow", delay=1.2),
    _arm("hang", "hangs", answer="hang"),
    _arm("refused", "refuses connections", answer="refuse"),
    _arm("malformed", "answers half a JSON document", answer="malformed"),
    _arm("times_in_the_past", "grants tokens that expired an hour ago", answer="expired_times"),
    _arm("times_refresh_after_expiry", "asks to refresh after the expiry", answer="refresh_after_expiry"),
    _arm("times_missing", "grants tokens without times", answer="missing_times"),
    Drill(
        name="arm_503_outlasting",
        text="ARM answers 503 until after the token's end, with 200 users waiting",
        auth_mode=AuthMode.AML_TOKEN,
        begins_s=0.5,
        ends_s=5.5,
        faults=({"at": 0.5, "for": 5.0, "do": "arm", "answer": "503"},),
        emulator="--token-life 5s --refresh-after 2s",
        rate=200.0,
        users=200,
        loses=True,
        causes=frozenset({"no_lease"}),
    ),
)

_ROLES = (
    _role_removed(
        "control_plane",
        "the role that fetches the token is taken away, and given back while the token has life left",
        mode=AuthMode.AML_TOKEN,
        action="token/action",
        emulator=_LIVES,
    ),
    _role_removed(
        "score_401",
        "the role to score is taken away; the endpoint says 401, as Azure's documentation has it",
        mode=AuthMode.AAD_TOKEN,
        action="score/action",
        emulator="--denied-score-status 401",
        loses=True,
        causes=frozenset({"forbidden", "no_lease"}),
    ),
    _role_removed(
        "score_403",
        "the role to score is taken away; the endpoint says 403",
        mode=AuthMode.AAD_TOKEN,
        action="score/action",
        emulator="--denied-score-status 403",
        loses=True,
        causes=frozenset({"forbidden"}),
    ),
    Drill(
        name="auth_mode_switched",
        text="the live endpoint is switched from key to aml_token, and back",
        auth_mode=AuthMode.KEY,
        begins_s=1.5,
        ends_s=4.0,
        faults=({"at": 1.5, "for": 2.5, "do": "auth_mode", "endpoint": "key", "to": "aml_token"},),
        loses=True,
        causes=_REFUSED | {"no_lease"},
    ),
)

_AGENTS = (
    Drill(
        name="agent_killed",
        text="the credential agent is killed in mid-flight, while the token has life left; a new one imports the SDK",
        auth_mode=AuthMode.AML_TOKEN,
        begins_s=2.8,
        ends_s=2.8,
        faults=({"at": 1.0, "for": 2.5, "do": "arm", "answer": "slow", "delay": 2.0, "operation": "token"},),
        client_faults=(ClientFault(kind=ClientFaultKind.KILL_AGENT, at_s=2.8),),
        emulator=_LONG_LIVES,
        duration_s=9.5,
        renews_within_s=6.0,
    ),
    Drill(
        name="agent_killed_awaited",
        text="the credential agent is killed while everybody waits for it; a new one imports the SDK",
        auth_mode=AuthMode.KEY,
        begins_s=2.0,
        ends_s=2.4,
        faults=(
            {"at": 1.9, "for": 0.6, "do": "arm", "answer": "slow", "delay": 2.0, "operation": "listkeys"},
            {"at": 2.0, "do": "rotate_key"},
        ),
        client_faults=(ClientFault(kind=ClientFaultKind.KILL_AGENT, at_s=2.4),),
        duration_s=9.5,
        recovers_within_s=6.0,
        renews_within_s=6.0,
        causes=_REFUSED,
    ),
)

DRILLS: dict[str, Drill] = {
    drill.name: drill for drill in (*_KEYS, *_TOKENS, *_CLOCKS, *_IDENTITY, *_ARM, *_ROLES, *_AGENTS)
}


def find(name: str) -> Drill:
    """The drill called that. UsageError lists what there is."""
    if name not in DRILLS:
        raise UsageError(f"no drill is called {name!r}", hint=f"there are {', '.join(DRILLS)}")
    return DRILLS[name]
