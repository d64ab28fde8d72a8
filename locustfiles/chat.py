"""A streaming language model: `locust -f locustfiles/chat.py`, or `bench run --chat FILE.jsonl` without any code."""

import random
from typing import Any

from locust import task

from bench.load.user import ScoringUser

QUESTIONS = (
    "What is the capital of Norway?",
    "Write a haiku about a load test.",
    "Explain the difference between a median and a mean to a child of ten.",
)


class ChatUser(ScoringUser):
    """Asks one question an arrival, and asks again with the answer; the server's own route is `--path`."""

    auth_modes = ("key",)

    @task  # type: ignore[untyped-decorator]
    def ask(self) -> None:
        question = random.choice(QUESTIONS)  # noqa: S311 - a load test's mix
        messages = [{"role": "user", "content": question}]
        answer = self.say(messages, name="question")
        if answer.ok:
            messages += [{"role": "assistant", "content": answer.said}, {"role": "user", "content": "Shorter, please."}]
            self.say(messages, name="follow-up")

    def say(self, messages: list[dict[str, str]], *, name: str) -> Any:
        """One turn; the answer is streamed, and counts its tokens."""
        return self.score(
            {"messages": messages, "max_tokens": 64, "stream": True, "stream_options": {"include_usage": True}},
            name=name,
        )
