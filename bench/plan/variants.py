"""The sides of a run from comma lists: which auth mode, target and deployment belong together, and their names. Pure.

`--auth-mode`, `--endpoint`, `--scoring-uri` and `--deployment` pair entry by entry; one entry is shared by all sides,
and lists of different lengths are a mistake, never a product.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.reading import auth_modes_of, words_of
from bench.plan.run_plan import Variant

Word = TypeVar("Word", bound=str)

_NEXT_URI = re.compile(r",\s*(?=https?://)", re.IGNORECASE)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Tuples of one length; `endpoints`, `scoring_uris` and `deployments` are empty where the options name none.

    `own_modes`: no mode was chosen, so that endpoints are measured in the one they have; other targets with a key.
    """

    auth_modes: tuple[AuthMode, ...]
    endpoints: tuple[str, ...] = ()
    scoring_uris: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    own_modes: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Unique names: by auth mode if that tells all sides apart, else by deployment, endpoint, or URI."""
        return _names(self.auth_modes, self.deployments, self.endpoints, self.scoring_uris)


def sides_of(values: Mapping[str, Any], *, default_modes: tuple[AuthMode, ...]) -> Sides:
    """The sides that the options name. UsageError when lists do not pair.

    Without --auth-mode each of two endpoints has one of two `default_modes`; several URIs, several deployments of one
    endpoint, or more endpoints than modes, have the first.
    """
    lists = {
        "--endpoint": words_of(_text(values, "endpoint")),
        "--scoring-uri": uris_of(_text(values, "scoring_uri")),
        "--deployment": words_of(_text(values, "deployment")),
    }
    for option, words in lists.items():
        if not words and _text(values, option[2:].replace("-", "_")).strip():
            raise UsageError(f"{option} names nothing", hint="write a name, or several with commas between them")
    chosen = auth_modes_of(_text(values, "auth_mode"), default=())
    longest = max(map(len, lists.values()))
    modes = chosen or default_modes or (AuthMode.KEY,)
    own_modes = not (chosen or default_modes)
    if not chosen and longest > 1 and not len(modes) == longest == len(lists["--endpoint"]):
        modes, own_modes = modes[:1], True
    count = max(longest, len(modes), 1)
    for option, words in {**lists, "--auth-mode": modes}.items():
        if len(words) not in {0, 1, count}:
            raise UsageError(
                f"{option} has {len(words)} entries, another option has {count}",
                hint="lists pair entry by entry: give one entry for all sides, or one for each",
            )
    endpoints, uris, deployments = (_spread(words, count) for words in lists.values())
    return Sides(
        auth_modes=_spread(tuple(modes), count),
        endpoints=endpoints,
        scoring_uris=uris,
        deployments=deployments,
        own_modes=own_modes,
    )


def uris_of(text: str) -> tuple[str, ...]:
    """The URIs of a list. A comma within a URI is part of it: the next one begins with its scheme."""
    return tuple(uri.strip() for uri in _NEXT_URI.split(text.strip().rstrip(",")) if uri.strip())


def distinguished(variants: Sequence[Variant], sides: Sides) -> tuple[Variant, ...]:
    """The variants with their deployments, called by what differs between them."""
    deployments = sides.deployments or ("",) * len(variants)
    names = sides.names
    if len(variants) == 1:  # its own mode is known by now
        names = (variants[0].auth_mode.value,)
    return tuple(
        dataclasses.replace(variant, name=name, deployment=deployment)
        for variant, name, deployment in zip(variants, names, deployments, strict=True)
    )


def _names(
    modes: Sequence[AuthMode], deployments: Sequence[str], endpoints: Sequence[str], uris: Sequence[str]
) -> tuple[str, ...]:
    places = [_place(uri) for uri in uris]
    facts = [
        [mode.value for mode in modes],
        list(deployments),
        list(endpoints),
        [authority for authority, _ in places],
        [path for _, path in places],
    ]
    candidates = [[_name(word) for word in words] for words in facts if words]
    for words in candidates:
        if len(set(words)) == len(modes) and all(words):
            return tuple(words)
    differing = [words for words in candidates if len(set(words)) > 1 and all(words)] or candidates[:1]
    joined = ["-".join(parts) for parts in zip(*differing, strict=True)]
    return tuple(
        name if joined[:i].count(name) == 0 else f"{name}#{joined[:i].count(name) + 1}" for i, name in enumerate(joined)
    )


def _place(uri: str) -> tuple[str, str]:
    """Host with port, and path. Whoever sends to it says what is wrong with a URI."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return uri, ""
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return (parts.hostname or "") + ("" if port in {None, default} else f":{port}"), parts.path


def _name(word: str) -> str:
    """Fit for a gate's `{variant=...}` and for a file's name."""
    return _NOT_IN_A_NAME.sub("-", word).strip("-")


def _spread(words: tuple[Word, ...], count: int) -> tuple[Word, ...]:
    return words * count if len(words) == 1 else words


def _text(values: Mapping[str, Any], name: str) -> str:
    return str(values.get(name) or "")
