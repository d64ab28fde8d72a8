"""Texts of a given length in tokens, out of short English words. Edge: a tokenizer's file, and its library.

Nearly every model's vocabulary holds each of these words, with the space before it, as one token. Without a tokenizer
a word counts as a token; with one the text is made until it has as many as were asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Protocol

import msgspec

from bench.errors import UsageError
from bench.load.engine.bodies import read_regular

_TEXT = """
able about above across act action add after again age ago air all allow alone along also always among amount and
animal answer any appear area arm art ask away baby back ball bank base bear beat because become bed been before began
begin behind being best better between big bird black blood blue board boat body book both bottom box boy bring
brother brought build burn busy but buy call came can car care carry case cat cause cell center change check child
children choose city class clean clear close cloud coast cold color come common cook cool copy corn corner could count
country course cover cross cry current cut dance dark day dead deal decide deep did differ direct do does dog done
door down draw dream dress drink drive drop dry during each early earth east easy eat edge effect egg eight else end
energy enough enter equal even evening ever every exact example eye face fact fall family far farm fast father favor
feel feet few field fight figure fill final find fine finger finish fire first fish fit five flat floor flow flower
fly follow food foot for force forest form forward found four free fresh friend from front fruit full game garden gas
gave general gentle get girl give glad glass go gold gone good got govern grand grass great green ground group grow
had hair half hand happen happy hard has hat have head hear heart heat heavy held help her here high hill him his
history hit hold hole home hope horse hot hour house how human hundred hunt ice idea if
"""
WORDS = tuple(_TEXT.split())
"""No other list will do for a run that is to be made again: the texts are drawn from these, in this order."""

_ATTEMPTS = 12
_FEW = 32
"""With fewer words than this that are one token each, texts would repeat themselves: all words are taken."""


class Vocabulary(Protocol):
    """Makes texts, and counts their tokens; `counted_by` says how."""

    counted_by: str

    def text(self, rng: Random, tokens: int) -> tuple[str, int]:
        """A text, and how many tokens it has."""


class Words:
    """A word is a token."""

    counted_by = "words"

    def text(self, rng: Random, tokens: int) -> tuple[str, int]:
        return " ".join(rng.choices(WORDS, k=tokens)), tokens


class TokenizerFile:
    """A `tokenizer.json` of Hugging Face's form. Nothing is ever downloaded."""

    def __init__(self, path: str) -> None:
        """UsageError for a file that is none, and where the library is not installed."""
        raw = read_regular(path, option="--tokenizer")
        self.counted_by = f"tokenizer {hashlib.sha256(raw).hexdigest()[:12]}"
        with _as_usage_error(path):
            self._tokenizer = _tokenizer_of(raw)
            single = tuple(word for word in WORDS if self._count(f"a {word}") - self._count("a") == 1)
            first = tuple(word for word in single if self._count(word) == 1)
            if not all(self._count(word) for word in WORDS):
                raise ValueError("it makes no tokens of English words")
        self._words = single if len(single) >= _FEW else WORDS
        self._first = first or self._words

    def text(self, rng: Random, tokens: int) -> tuple[str, int]:
        """As near to `tokens` as whole words come: exact where words are one token each."""
        words = rng.choices(self._first) + rng.choices(self._words, k=tokens - 1)
        text = " ".join(words)
        count = self._count(text)
        for _ in range(_ATTEMPTS):
            more = max(round((tokens - count) * len(words) / count), 1 - len(words))
            if not more:
                break
            if more > 0:
                words += rng.choices(self._words, k=more)
            else:
                del words[more:]
            text = " ".join(words)
            count = self._count(text)
        return text, count

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


def _tokenizer_of(raw: bytes) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as exc:
        raise UsageError(
            "--tokenizer needs the package tokenizers, which is not installed",
            hint="pip install 'azureml-endpoint-bench[tokenizer]', or leave it out: a word then counts as a token",
        ) from exc
    if "model" not in msgspec.json.decode(raw, type=dict[str, Any]):
        raise ValueError("it has no model")
    tokenizer = Tokenizer.from_str(raw.decode())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@contextmanager
def _as_usage_error(path: str) -> Iterator[None]:
    """Whatever the library raises for a file that it cannot read, as a UsageError. Some damage makes it panic, which is
    a BaseException of a class that cannot be imported."""
    try:
        yield
    except UsageError:
        raise
    except BaseException as exc:
        if not isinstance(exc, Exception) and type(exc).__name__ != "PanicException":
            raise
        why = str(exc).partition("\n")[0][:200]
        raise UsageError(
            f"--tokenizer {path} cannot be used: {why}", hint="give the tokenizer.json that lies beside the model"
        ) from exc
