"""Closing a run: steps of which each runs, whatever the others did. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Step = tuple[str, Callable[[], Any]]


def close_all(steps: Iterable[Step]) -> tuple[tuple[str, Exception], ...]:
    """Run every step in order, and return which of them broke.

    Something that is no error of a step (a time limit, the end of this greenlet) does not keep the later ones from
    running either; it is raised after the last.
    """
    failures: list[tuple[str, Exception]] = []
    end: BaseException | None = None
    for name, step in steps:
        try:
            step()
        except Exception as exc:  # noqa: BLE001 - all of them, or the secret stays in memory for want of a disk
            failures.append((name, exc))
        except BaseException as exc:  # noqa: BLE001 - raised below
            end = exc
    if end is not None:
        raise end
    return tuple(failures)
