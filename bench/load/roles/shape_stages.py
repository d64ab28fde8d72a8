"""What a LoadTestShape asked for: one answer of its `tick`, and the stages that all of them make. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from numbers import Real
from typing import Any

from bench.errors import UsageError
from bench.plan.options import MOST_PER_S, MOST_USERS

MOST_STAGES = 20
"""Of a shape that changes its users more often, neighbouring stages are joined."""
_HINT = "have tick() return (users, spawn_rate), or None at its end"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeStage:
    """From `from_s` of the run on: how many users were asked for, and how many of them a second; the last that was
    asked for, where several answers of the shape are joined."""

    from_s: float
    fewest_users: int
    most_users: int
    spawn_rate: float

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "from_s": round(self.from_s, 3)}


def asked(answer: Any, *, user_classes: Collection[type]) -> tuple[int, float]:
    """Users and spawn rate in what a `tick` returned. UsageError for what Locust would stumble over later."""
    if not isinstance(answer, tuple | list) or len(answer) not in (2, 3):
        raise UsageError(f"returned {answer!r:.80}", hint=_HINT)
    users, spawn_rate = answer[:2]
    if not _is_number(users, most=MOST_USERS) or users != int(users):
        raise UsageError(f"returned {users!r:.80} as its number of users", hint=f"a whole number up to {MOST_USERS:,}")
    if not _is_number(spawn_rate, most=MOST_PER_S) or not spawn_rate:
        raise UsageError(f"returned {spawn_rate!r:.80} as its spawn rate", hint="users a second, more than 0")
    classes = answer[2] if len(answer) == 3 else None
    if classes is not None and not (isinstance(classes, tuple | list) and classes and set(classes) <= {*user_classes}):
        known = ", ".join(cls.__name__ for cls in user_classes)
        raise UsageError(
            "returned user classes that this run does not have", hint=f"a list of some of {known}, or None"
        )
    return int(users), float(spawn_rate)


def _is_number(value: Any, *, most: float) -> bool:
    kind = type(value)
    return kind is not bool and issubclass(kind, Real) and bool(0 <= value <= most)


def folded(stages: Sequence[ShapeStage], *, end_s: float, most: int = MOST_STAGES) -> list[ShapeStage]:
    """At most so many: short ones that follow each other become one, and a plateau stays by itself while it can."""
    times_s = [*(stage.from_s for stage in stages), end_s]
    lasting = [(stage, times_s[number + 1] - stage.from_s) for number, stage in enumerate(stages)]
    for shortest_s in (2.0**power for power in itertools.count(-3)):
        if len(lasting) <= max(most, 1):
            break
        lasting = _joined(lasting, shortest_s)
    return [stage for stage, _ in lasting]


def _joined(lasting: Sequence[tuple[ShapeStage, float]], shortest_s: float) -> list[tuple[ShapeStage, float]]:
    """One that is shorter than that is joined by what follows, if that is short too."""
    stages: list[tuple[ShapeStage, float]] = []
    for stage, length_s in lasting:
        if stages and max(stages[-1][1], length_s) < shortest_s:
            before, before_s = stages.pop()
            joined = replace(
                before,
                fewest_users=min(before.fewest_users, stage.fewest_users),
                most_users=max(before.most_users, stage.most_users),
                spawn_rate=stage.spawn_rate,
            )
            stages.append((joined, before_s + length_s))
        else:
            stages.append((stage, length_s))
    return stages
