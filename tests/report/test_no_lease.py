"""Where requests went without a credential, the line that CI shows says why (D17)."""

from bench.report.words import failure_sentence

WHY = "no Entra token for this principal: the identity service answered 503"


def said(*, cause: str, reasons: dict[str, int]) -> str:
    failures = [{"outcome": "auth_failure", "cause": cause, "status": 0, "count": 161, "samples": []}]
    key = {"requests": 322, "error_rate": 0.5, "failures": failures, "refreshes": {"reasons": reasons}}
    return failure_sentence({"variants": {"key": key}})


def test_the_most_frequent_reason_is_shown():
    """It stood in flights.jsonl only."""
    assert said(cause="no_lease", reasons={WHY: 12, "other": 1}).endswith(f"; no credential because {WHY}")


def test_no_reason_is_shown_that_is_not_the_cause():
    """A refusal has another reason than a fetch that failed; an old summary has none."""
    assert "because" not in said(cause="refused", reasons={"x": 1})
    assert "because" not in said(cause="no_lease", reasons={})
