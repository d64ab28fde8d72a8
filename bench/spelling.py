"""What somebody may have meant by a word that nobody knows. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of `known` that is most like `word`; empty when none is."""
    from difflib import get_close_matches  # which costs every command 5 ms, and is for mistakes only

    close = get_close_matches(word.lower(), known, n=1)
    return close[0] if close else ""
