"""An endpoint's tokens a minute: who is admitted, who has to wait, and for how long."""

from __future__ import annotations

from bench.emulator.token_budget import TokenBudget
from tests.emulator.process import emulator
from tests.emulator.test_streaming import CHAT, SCHEDULE, events_of, tokens_of


def test_the_budget_fills_up_again() -> None:
    """What was refused cost nothing, and is admitted once its tokens have come back."""
    budget = TokenBudget(600)
    assert budget.take(0, 500)
    assert dict(budget.headers) == {"x-ratelimit-limit-tokens": "600", "x-ratelimit-remaining-tokens": "100"}
    assert not budget.take(1, 150)
    assert dict(budget.refusal()[1])["retry-after"] == "4"
    assert not budget.take(4.9, 150)
    assert budget.take(5.1, 150)


def test_more_than_a_minutes_tokens_are_never_admitted() -> None:
    """And are not asked to wait for ever."""
    budget = TokenBudget(60)
    assert not budget.take(0, 61)
    assert not budget.take(10_000, 61)
    text, headers = budget.refusal()
    assert 1 <= int(dict(headers)["retry-after"]) <= 60
    assert int(dict(headers)["retry-after-ms"]) >= 1
    assert "token rate limit" in text


def test_beyond_the_budget_the_answer_is_that_of_azure_openai() -> None:
    """A stream costs its prompt and what it asks for; a plain answer costs nothing."""
    asked = CHAT | {"max_tokens": 46}
    with emulator(*SCHEDULE, "--service-zero", "--tokens-per-minute", "100") as running:
        secret = running.secret("key")
        first, second = (running.chat(secret, asked) for _ in range(2))
        refused = running.chat(secret, asked)
        plain = running.chat(secret, CHAT | {"stream": False})
    assert [first.status, second.status, refused.status, plain.status] == [200, 200, 429, 200]
    assert tokens_of(events_of(second.body)) == 46
    assert first.headers["x-ratelimit-remaining-tokens"] == "50"
    assert refused.headers["content-type"] == "application/json"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert int(refused.headers["x-ratelimit-remaining-tokens"]) < 50
    assert "exceeded token rate limit" in refused.json["error"]["message"]
