"""Where requests went without a credential, the line that CI shows says why (D17)."""

from bench.report.words import auth_sentence


def summary(*, cause: str, reasons: dict[str, int]) -> dict:
    failures = {"count": 161, "rate": 0.5, "by_cause": {cause: 161}}
    key = {"requests": 322, "auth_failures": failures, "refreshes": {"reasons": reasons}}
    return {"variants": {"key": key}}


def test_the_most_frequent_reason_is_told():
    """It stood in flights.jsonl only."""
    reasons = {"no Entra token for this principal: the identity service answered 503": 12, "other": 1}
    said = auth_sentence(summary(cause="no_lease", reasons=reasons))
    assert said.endswith("no credential because no Entra token for this principal: the identity service answered 503")


def test_nothing_is_told_that_is_not_the_cause():
    """A refusal has another reason than a fetch that failed; an old summary has none."""
    assert "because" not in auth_sentence(summary(cause="refused", reasons={"x": 1}))
    assert "because" not in auth_sentence(summary(cause="no_lease", reasons={}))
