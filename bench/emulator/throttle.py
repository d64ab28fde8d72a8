"""Azure Resource Manager's limits a principal. Pure; `routes` asks before it answers.

Token buckets since 2024: reads 250, refilled by 25 a second; writes 200 and 10 (Microsoft Learn, "Understand how
Azure Resource Manager throttles requests"). Whether a POST of Azure ML's counts as a write is not documented; ARM
counts POST so in general. The body of the 429 is quoted in MicrosoftDocs/azure-docs#105248.
"""

from __future__ import annotations

from math import ceil

from bench.emulator.bucket import TokenBucket
from bench.emulator.messages import Response, arm_error

_LIMITS = {"reads": (250, 25), "writes": (200, 10)}


class ArmThrottle:
    """Counts every principal's calls; refuses when `enforced` and there are too many."""

    def __init__(self, subscription_id: str, *, enforced: bool) -> None:
        self._subscription_id = subscription_id
        self._enforced = enforced
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def meter(self, principal: str, method: str, now_s: float) -> tuple[tuple[str, str], Response | None]:
        """The header that tells what is left, and the 429 if nothing is."""
        kind = "reads" if method == "GET" else "writes"
        capacity, per_s = _LIMITS[kind]
        bucket = self._buckets.setdefault((principal, kind), TokenBucket(capacity=capacity, per_s=per_s))
        taken = bucket.take(now_s)
        header = (f"x-ms-ratelimit-remaining-subscription-{kind}", str(bucket.left))
        if taken or not self._enforced:
            return header, None
        seconds = ceil(bucket.wait_s)
        message = (
            f"Number of requests for subscription '{self._subscription_id}' and operation '{method}/SUBSCRIPTIONS' "
            f"exceeded the backend storage limit. Please try again after '{seconds}' seconds."
        )
        return header, arm_error(429, "SubscriptionRequestsThrottled", message, ("retry-after", str(seconds)))
