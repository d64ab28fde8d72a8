"""A streaming language model: `locust -f locustfiles/chat.py`, or `bench run --chat FILE.jsonl`."""

import random

from locust import task

from bench.load.user import ScoringUser

QUESTIONS = (
    "What is the capital of Norway?",
    "Write a haiku about a load test.",
    "Explain the difference between a median and a mean to a child of ten.",
)


class ChatUser(ScoringUser):
    """Asks one question an arrival, and has the answer streamed; the server's own route is `--path`."""

    auth_modes = ("key",)

    @task  # type: ignore[untyped-decorator]
    def ask(self) -> None:
        question = random.choice(QUESTIONS)  # noqa: S311 - a load test's mix
        self.score(
            {
                "messages": [{"role": "user", "content": question}],
                "max_tokens": 64,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        )
