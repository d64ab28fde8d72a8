"""Prompts that are made: as long as was asked, the same ones everywhere, and within bounds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.load.engine import chat_fields
from bench.load.engine.bodies import Framing
from bench.load.engine.conversation import FirstTurn
from bench.load.engine.prompts import Prompts, make_prompts
from bench.load.engine.vocabulary import WORDS, TokenizerFile
from bench.plan.prompt_plan import PromptPlan


def make(prompt_tokens: str, *, seed: int = 1, fields: str = "{}", **more: Any) -> Prompts:
    plan = PromptPlan(prompt_tokens=prompt_tokens, **{"prompts": 50, **more})
    return make_prompts(plan, seed=seed, framing=Framing(), fields=chat_fields.decode(fields.encode()), think_s=1.0)


def bodies(prompts: Prompts) -> list[dict[str, Any]]:
    return [json.loads(payload.tail) for payload in prompts.bodies]


def words_of(body: dict[str, Any]) -> list[int]:
    return [len(message["content"].split()) for message in body["messages"]]


def test_prompts_by_words() -> None:
    """Each has the length that was drawn, asks for a stream with usage, and differs from the others."""
    made = make("100..200", output_tokens="5..9", fields='{"model": "m", "max_tokens": 1}')
    found = bodies(made)
    lengths = [words_of(body)[0] for body in found]
    assert [set(body) for body in found] == [{"messages", "model", "max_tokens", "stream", "stream_options"}] * 50
    assert 100 <= min(lengths) < max(lengths) <= 200
    assert (made.made.prompt_tokens.least, made.made.prompt_tokens.most) == (min(lengths), max(lengths))
    assert made.made.prompt_tokens.mean == pytest.approx(sum(lengths) / 50)
    answers = [body["max_tokens"] for body in found]
    assert made.made.output_tokens is not None
    assert (made.made.output_tokens.least, made.made.output_tokens.most) == (min(answers), max(answers)) == (5, 9)
    assert len({body["messages"][0]["content"] for body in found}) == 50
    assert (made.made.counted_by, made.made.turns, made.turns) == ("words", 1, 0)
    assert not any(isinstance(payload, FirstTurn) for payload in made.bodies)


def test_the_seed_makes_them() -> None:
    """The same options and seed make the same bodies; asking for longer answers changes no prompt."""
    first, again, other = make("lognormal(50, 30)"), make("lognormal(50, 30)"), make("lognormal(50, 30)", seed=2)
    assert bodies(first) == bodies(again)
    assert first.sha256 == again.sha256 != other.sha256
    longer = make("lognormal(50, 30)", output_tokens="100")
    assert longer.sha256 != first.sha256
    assert [one["messages"] for one in bodies(longer)] == [one["messages"] for one in bodies(first)]
    assert "max_tokens" not in bodies(first)[0]


def test_a_shared_prefix() -> None:
    """All begin with the same tokens, beside their own; they count as asked."""
    made = make("10", shared_prefix=30)
    found = bodies(made)
    assert {body["messages"][0]["content"] for body in found} == {found[0]["messages"][0]["content"]}
    assert [words_of(body) for body in found] == [[30, 10]] * 50
    assert found[0]["messages"][0]["role"] == "system"
    assert made.made.prompt_tokens.mean == 40


def test_conversations_of_drawn_length() -> None:
    """As many turns as were asked for, each of its own length; the prefix stands before the first only."""
    made = make("10..20", turns="1..4", shared_prefix=5, output_tokens="3")
    assert (made.turns, made.made.turns) == (4, 4)
    assert {1 + len(first.later) for first in made.bodies if isinstance(first, FirstTurn)} == {1, 2, 3, 4}
    for first in made.bodies:
        assert isinstance(first, FirstTurn)
        assert words_of(json.loads(first.tail))[0] == 5
        for turn in first.later:
            assert turn.think_ns == 1_000_000_000
            assert 10 <= len(json.loads(turn.messages)["content"].split()) <= 20
            assert json.loads(b"{%b}" % turn.fields[1:])["max_tokens"] == 3


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ("1000000", {"prompts": 20}),
        ("500", {"prompts": 100_000}),
        ("10", {"shared_prefix": 1_000_000}),
        ("1000", {"turns": "100", "prompts": 1000}),
    ],
)
def test_more_than_memory_holds(words: str, more: dict[str, Any]) -> None:
    """Is refused before any of it is made."""
    with pytest.raises(UsageError, match=r"--prompt-tokens: .* too much to keep in memory"):
        make(words, **more)


def test_a_prompt_of_megabytes() -> None:
    """One of a million tokens can be asked for."""
    (body,) = bodies(make("1000000", prompts=1))
    assert words_of(body) == [1_000_000]


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line says what to install."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    file = tmp_path / "tokenizer.json"
    file.write_text('{"model": {}}')
    with pytest.raises(UsageError, match="not installed") as refused:
        make("5", tokenizer=str(file))
    assert "pip install" in refused.value.describe()
    with pytest.raises(UsageError, match="No such file"):
        make("5", tokenizer=str(tmp_path / "none.json"))


def bpe(path: Path, *, of_words: bool = True, truncated: bool = False) -> Path:
    """A tokenizer of the form that most models have: with a token for each word, or for each byte only."""
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=2500, show_progress=False, initial_alphabet=alphabet)
    made.train_from_iterator([" ".join(WORDS) if of_words else "q"] * 50, trainer)
    if truncated:
        made.enable_truncation(16)
        made.enable_padding(length=999)
    made.save(str(path))
    return path


def test_prompts_by_a_tokenizer(tmp_path: Path) -> None:
    """Exact by its own count; what it would cut or fill up itself is left alone."""
    file = bpe(tmp_path / "tokenizer.json", truncated=True)
    made = make("1..300", tokenizer=str(file), shared_prefix=20)
    assert made.made.counted_by.startswith("tokenizer ")
    tokenizers = pytest.importorskip("tokenizers")
    other = tokenizers.Tokenizer.from_file(str(file))
    other.no_truncation()
    other.no_padding()
    counts = [sum(len(other.encode(message["content"]).ids) for message in body["messages"]) for body in bodies(made)]
    assert (min(counts), max(counts)) == (made.made.prompt_tokens.least, made.made.prompt_tokens.most)
    vocabulary = TokenizerFile(str(file))
    from random import Random

    assert all(vocabulary.text(Random(n), n)[1] == n for n in (1, 2, 3, 100, 512))
    assert make("1..300", tokenizer=str(file), shared_prefix=20).sha256 == made.sha256


def test_a_tokenizer_without_words(tmp_path: Path) -> None:
    """Whole words come as near as they can, and the real lengths are reported."""
    made = make("100", tokenizer=str(bpe(tmp_path / "bytes.json", of_words=False)))
    assert 90 <= made.made.prompt_tokens.least <= made.made.prompt_tokens.most <= 110
    assert made.made.prompt_tokens.least < made.made.prompt_tokens.most


def test_more_than_a_tokenizer_should_count(tmp_path: Path) -> None:
    """It is refused before the file is read."""
    with pytest.raises(UsageError, match="too much to count"):
        make("1000000", prompts=3, tokenizer=str(tmp_path / "none.json"))


_NO_UNKNOWN = {"type": "WordLevel", "vocab": {"xyzzy": 0}, "unk_token": "[UNK]"}
_WHOLE = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None}


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"[]", b"\xff\xfe{}", b"{}", b"[" * 100_000, b'{"model": null}', b'{"model": {}}'),
        b'{"model": {"type": "BPE", "vocab": {}, "merges": [["a", "b"]]}}',
        b"\x00" * 4096,
        json.dumps(
            _WHOLE | {"pre_tokenizer": None, "post_processor": None, "decoder": None, "model": _NO_UNKNOWN}
        ).encode(),
    ],
)
def test_a_damaged_tokenizer(raw: bytes, tmp_path: Path) -> None:
    """Empty, cut short, another format, one that knows no word: one line."""
    pytest.importorskip("tokenizers")
    file = tmp_path / "tokenizer.json"
    file.write_bytes(raw)
    with pytest.raises(UsageError, match="--tokenizer") as refused:
        make("5", tokenizer=str(file))
    assert "\n" not in refused.value.describe()


def test_a_tokenizer_cut_short(tmp_path: Path) -> None:
    """At any place."""
    whole = bpe(tmp_path / "tokenizer.json").read_bytes()
    file = tmp_path / "cut.json"
    for size in (1, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(UsageError, match="--tokenizer"):
            TokenizerFile(str(file))
