"""Tests of times blame no busy machine, and excuse nothing on a quiet one."""

from __future__ import annotations

import pytest

from tests import quiet


@pytest.mark.parametrize(
    ("cores", "outcome"), [(None, AssertionError), (0.1, AssertionError), (1.2, pytest.skip.Exception)]
)
def test_what_fails_is_skipped_only_where_others_worked(
    cores: float | None, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Others(quiet.OtherLoad):
        def __exit__(self, *_: object) -> None:
            self.cores = cores

    monkeypatch.setattr(quiet, "OtherLoad", Others)
    with pytest.raises(outcome, match="too slow"), quiet.judged_if_quiet():
        raise AssertionError("too slow")
    with quiet.judged_if_quiet():
        pass
    with pytest.raises(OSError), quiet.judged_if_quiet():
        raise OSError
