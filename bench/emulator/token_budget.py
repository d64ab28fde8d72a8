"""An endpoint's tokens a minute, as Azure OpenAI limits a deployment. Pure; `dataplane` asks before it admits a stream.

A request costs the words of its prompt and the tokens it asks for, whatever it then gets (Microsoft Learn, "Manage
Azure OpenAI quota", on max_tokens). Headers and the body of the 429 are those that Azure OpenAI answers with. Here the
budget fills up evenly; Azure counts in stretches of a minute, and of a second or ten.
"""

from __future__ import annotations

import json
from math import ceil

from bench.emulator.bucket import TokenBucket

Headers = tuple[tuple[str, str], ...]


class TokenBudget:
    """Counts the tokens of all requests of one endpoint."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._bucket = TokenBucket(capacity=per_minute, per_s=per_minute / 60)

    def take(self, now_s: float, tokens: int) -> bool:
        """Whether a request that may cost so many is admitted; one that is not costs nothing."""
        return self._bucket.take(now_s, tokens)

    @property
    def headers(self) -> Headers:
        """What an answer says of the budget."""
        return (
            ("x-ratelimit-limit-tokens", str(self._per_minute)),
            ("x-ratelimit-remaining-tokens", str(self._bucket.left)),
        )

    def refusal(self) -> tuple[str, Headers]:
        """Body and headers of the 429 for the request that was not admitted."""
        wait_s = min(self._bucket.wait_s, 60.0)
        seconds = max(ceil(wait_s), 1)
        message = (
            "Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current pricing "
            f"tier. Please retry after {seconds} seconds."
        )
        waits = (("retry-after", str(seconds)), ("retry-after-ms", str(ceil(wait_s * 1000))))
        return json.dumps({"error": {"code": "429", "message": message}}), (*waits, *self.headers)
