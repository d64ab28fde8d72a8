"""What is known of credentials before a run: the end of a static secret, and what may not be read."""

from __future__ import annotations

import jwt
import pytest

from bench import clock
from bench.credentials.static_manager import StaticManager
from bench.endpoint import AuthMode, Workspace
from bench.load.roles.managers import ManagerPool
from bench.plan.run_plan import Variant
from bench.target.spec import TargetSpec

TOKEN = AuthMode.AML_TOKEN
SPEC = TargetSpec(kind="scoring_uri", auth_modes=(TOKEN,), scoring_uris=("http://h/score",), secret_numbers=(0,))


def token(*, lasts_s: float) -> str:
    return jwt.encode({"exp": int(clock.wall_s() + lasts_s)}, "k" * 32, algorithm="HS256")


@pytest.mark.parametrize(
    ("lasts_s", "run_s", "says"),
    [
        (-60, 65.0, "has expired"),
        (30, 65.0, "before the run ends"),
        (30, None, "before the run ends"),
        (600, 65.0, ""),
    ],
)
def test_a_token_that_ends_before_the_run(
    lasts_s: float, run_s: float | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note says so before the first request (C16), without the token itself."""
    secret = token(lasts_s=lasts_s)
    monkeypatch.setenv("BENCH_TOKEN", secret)
    notes = ManagerPool(SPEC).notes(lasts_s=run_s)
    assert [says in note for note in notes] == ([True] if says else [])
    assert secret not in " ".join(notes)


def test_a_static_secret_has_its_own_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that refreshes nothing."""
    monkeypatch.setenv("BENCH_TOKEN", "hunter2")
    (manager,) = ManagerPool(SPEC).managers(
        (Variant(name="t", auth_mode=TOKEN, scoring_uri="http://h/score"),), on_flight=lambda _flight: None
    )
    assert isinstance(manager, StaticManager)
    manager.close()


def test_nothing_is_read_of_an_endpoint_with_its_uri() -> None:
    """Nor is an agent started to describe it (D1)."""
    place = Workspace(subscription_id="s", resource_group="g", workspace_name="w")
    spec = TargetSpec(
        kind="endpoint", auth_modes=(TOKEN,), endpoints=("e",), scoring_uris=("http://h/score",), workspace=place
    )
    pool = ManagerPool(spec)
    assert pool.describe() == {}
    pool.close()
