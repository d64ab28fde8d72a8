"""Whether a request for the web UI comes from a page of the web UI: rules on Host, Origin and Fetch Metadata. Pure.

A browser sends requests on behalf of any page it shows. Three rules recognise those of a stranger's page:

    Host             a name that the stranger had resolved to this machine (DNS rebinding) is none of ours
    Origin           sent with every POST; the stranger's own, or `null`
    Sec-Fetch-Site   what the browser itself thinks of it; only typing an address, a link and our own pages are let in

A program such as curl sends neither Origin nor Sec-Fetch-Site, and is let in.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z_.-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_ORIGIN = re.compile(r"(https?)://(.+)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_EVERYWHERE = {"", "*", "0.0.0.0", "::"}  # noqa: S104 - what is asked for, not what is done


@dataclass(frozen=True, slots=True, kw_only=True)
class WebHosts:
    """The names by which the web UI may be called. `any_address`: also every IP address, which nobody can rebind."""

    names: frozenset[str]
    any_address: bool = False

    @classmethod
    def of(cls, web_host: str, allowed: Iterable[str]) -> Self:
        """For `--web-host` and the names of `--web-allow-host`; loopback is always among them."""
        everywhere = web_host in _EVERYWHERE
        names = {_plain(name) for name in (*allowed, *(() if everywhere else (web_host,)))}
        return cls(names=frozenset(names - {""}), any_address=everywhere)

    def wrong_host(self, header: str | None) -> str:
        """Why a Host header is refused; empty when it is one of ours."""
        match = _HOST.fullmatch(header or "")
        if match is None:
            return "no host name that can be read"
        return "" if self._is_ours(_plain(match[1])) else "a host name that is not this web UI's"

    def wrong_origin(self, headers: Mapping[str, str], *, changes: bool) -> str:
        """Why a request is refused that another site's page may have made; empty when it is let in.

        `changes`: it would change something, so that a link from elsewhere may not lead to it either.
        """
        site = headers.get("Sec-Fetch-Site", "").strip().lower()
        if site not in {"", "none", "same-origin"}:
            follows_a_link = (
                headers.get("Sec-Fetch-Mode", "").lower() == "navigate"
                and headers.get("Sec-Fetch-Dest", "document").lower() == "document"
            )
            if changes or not follows_a_link:
                return "it comes from another site's page"
        origin = headers.get("Origin")
        if not changes or origin is None or self._same_origin(origin, headers.get("Host", "")):
            return ""
        return "its Origin is another site's"

    def _same_origin(self, origin: str, host: str) -> bool:
        split = _ORIGIN.fullmatch(origin.strip())
        theirs = _HOST.fullmatch(split[2]) if split else None
        ours = _HOST.fullmatch(host)
        if split is None or theirs is None or ours is None or not self._is_ours(_plain(theirs[1])):
            return False
        default = _DEFAULT_PORTS[split[1].lower()]
        if (_plain(theirs[1]), theirs[2] or default) == (_plain(ours[1]), ours[2] or default):
            return True
        return theirs[2] is None and _plain(theirs[1]) in self.names  # a proxy in front, which has named itself

    def _is_ours(self, name: str) -> bool:
        if name == "localhost" or name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address or address.is_loopback


def is_loopback(web_host: str) -> bool:
    """Whether a server bound to `web_host` is reached from this machine only."""
    return web_host not in _EVERYWHERE and not WebHosts(names=frozenset()).wrong_host(_bracketed(web_host))


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _plain(name: str) -> str:
    """Lower case, without brackets and without the dot that may end a full name."""
    return name.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")
