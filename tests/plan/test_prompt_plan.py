"""Made prompts as the options ask for them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bench.errors import UsageError
from bench.plan.prompt_plan import Made, PromptPlan, Spread, bodies_of
from bench.plan.request_plan import RequestPlan, request_plan_of


def test_a_plan_goes_to_workers_and_back() -> None:
    """Whatever was asked, and what was made of it, survives."""
    text = {
        "prompt_tokens": "lognormal(512, 300)",
        "output_tokens": "1..64",
        "shared_prefix": "100",
        "prompts": "10",
        "turns": "1..3",
        "tokenizer": "t.json",
        "chat_fields": '{"model": "m"}',
    }
    found = request_plan_of(text, think_s=1.5)
    assert found.prompts is not None
    assert (found.prompts.prompts, found.prompts.shared_prefix, found.think_s) == (10, 100, 1.5)
    spread = Spread(least=1, p50=2.0, mean=2.5, p99=4.0, most=5)
    for made in (None, Made(prompt_tokens=spread, output_tokens=None, counted_by="words", turns=3)):
        whole = dataclasses.replace(found, prompts=dataclasses.replace(found.prompts, made=made))
        assert RequestPlan.from_json(json.loads(json.dumps(dataclasses.asdict(whole)))) == whole
    assert request_plan_of({"prompt_tokens": "5"}).prompts == PromptPlan(prompt_tokens="5")
    assert request_plan_of({}).prompts is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({"prompt_tokens": "x"}, "--prompt-tokens"),
        ({"prompt_tokens": "5", "output_tokens": "0"}, "--output-tokens: 0 is too small"),
        ({"prompt_tokens": "5", "turns": "101"}, "--turns: 101 is too large"),
        ({"prompt_tokens": "5", "prompts": "0"}, "--prompts: 0 is not between"),
        ({"prompt_tokens": "5", "prompts": "1.5"}, "--prompts: '1.5' is not a whole number"),
        ({"prompt_tokens": "5", "shared_prefix": "-1"}, "--shared-prefix: '-1' is not a whole number"),
        ({"prompt_tokens": "5", "shared_prefix": "9" * 5_000}, "--shared-prefix"),
        ({"prompt_tokens": "5", "chat": "c.jsonl"}, "--chat and --prompt-tokens exclude each other"),
        ({"prompt_tokens": "5", "payload": "c.json"}, "--payload and --prompt-tokens exclude each other"),
        ({"output_tokens": "5"}, "--output-tokens is of prompts that are made"),
        ({"tokenizer": "t.json", "chat": "c.jsonl"}, "--tokenizer is of prompts that are made"),
        ({"chat_fields": "{"}, "--chat-fields: '{' is not JSON"),
        ({"chat_fields": "[1]"}, "no JSON object"),
        ({"chat_fields": "[" * 100_000}, "--chat-fields"),
        ({"chat_fields": '{"messages": []}'}, "each conversation's own"),
    ],
)
def test_what_cannot_be_made(text: dict[str, str], says: str) -> None:
    """One line names the option, before anything is read."""
    with pytest.raises(UsageError) as refused:
        request_plan_of(text)
    assert says in refused.value.describe()
    assert len(refused.value.describe()) < 250


def test_prompts_of_another_seed_are_the_same_bodies_to_whoever_compares_runs() -> None:
    """Runs of a set have a seed each; other lengths, or another tokenizer, are something else."""
    lengths = Spread(least=5, p50=5, mean=5, p99=5, most=5)
    made = Made(prompt_tokens=lengths, output_tokens=None, counted_by="ab", turns=1)
    plan = PromptPlan(prompt_tokens="5..9", tokenizer="/home/me/tokenizer.json", made=made)

    def bodies(of: PromptPlan, sha256: str) -> str | None:
        return bodies_of({"payload_sha256": sha256, "request": {"prompts": dataclasses.asdict(of)}})

    assert bodies(plan, "a" * 64) == bodies(plan, "b" * 64)
    assert "/home" not in str(bodies(plan, ""))
    others = (
        dataclasses.replace(plan, prompt_tokens="5..10"),
        dataclasses.replace(plan, turns="2"),
        dataclasses.replace(plan, made=dataclasses.replace(made, counted_by="cd")),
    )
    assert len({bodies(one, "") for one in (plan, *others)}) == 4
    assert bodies_of({"payload_sha256": "a" * 64, "request": {"prompts": None}}) == "a" * 64
