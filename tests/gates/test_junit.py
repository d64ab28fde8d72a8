"""The JUnit file: valid for those who check it, and red where a gate did not pass."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.gates.junit import junit_xml
from tests.gates.summaries import summary, variant

MANIFEST: dict[str, Any] = {
    "host": {"hostname": "runner-7"},
    "target": {"kind": "endpoint"},
    "clock": {"wall_ns": 1_767_225_600_123_456_789},
    "ended": {"at_ns": 65_250_000_000, "reason": "completed"},
}
GATES = [
    parse("response_time.p99 < 110ms", name="latency"),
    parse("response_time.p99 < 50ms"),
    parse("response_time.p99 < 98ms"),
    parse("server_time.p99 < 1ms"),
]
SUITE_ATTRIBUTES = {
    "name": r".+",
    "package": r".+",
    "id": r"\d+",
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    "hostname": r".+",
    "tests": r"\d+",
    "failures": r"\d+",
    "errors": r"\d+",
    "time": r"\d+\.\d{3}",
}


def suite_of(text: str) -> ET.Element:
    root = ET.fromstring(text)  # noqa: S314 - what this room has just written
    assert root.tag == "testsuites"
    (suite,) = root
    return suite


def test_each_gate_is_a_case_and_only_a_pass_is_green() -> None:
    """FAIL is a failure; undecided and without data are errors, for a skipped case would look fine."""
    run = summary()
    suite = suite_of(junit_xml(evaluate(GATES, run), summary=run, manifest=MANIFEST))
    cases = [(case.get("name"), [child.tag for child in case]) for case in suite.iter("testcase")]
    assert cases == [
        ("latency", []),
        ("response_time.p99 < 50ms", ["failure"]),
        ("response_time.p99 < 98ms", ["error"]),
        ("server_time.p99 < 1ms", ["error"]),
    ]
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["4", "1", "2"]
    assert "about 53,000 more requests" in (suite.findall(".//error")[0].get("message") or "")


@pytest.mark.parametrize("manifest", [MANIFEST, {}])
def test_the_file_has_all_that_the_schema_of_ant_requires(manifest: dict[str, Any]) -> None:
    """Required attributes with their types and elements in their order (Windy Road's JUnit.xsd), for a bare run too."""
    run = summary()
    suite = suite_of(junit_xml(evaluate(GATES, run), summary=run, manifest=manifest))
    for name, pattern in SUITE_ATTRIBUTES.items():
        assert re.fullmatch(pattern, suite.get(name, "")), name
    order = [child.tag for child in suite]
    assert order == ["properties", *["testcase"] * 4, "system-out", "system-err"]
    for case in suite.iter("testcase"):
        assert {"name", "classname", "time"} <= set(case.attrib)
    for wrong in (*suite.iter("failure"), *suite.iter("error")):
        assert wrong.get("type") in {"FAIL", "INCONCLUSIVE", "NO_DATA"}


def test_the_suite_tells_when_where_and_how_far_to_trust_it() -> None:
    """Start, length and host of the run come from its manifest, trust from its summary."""
    run = summary(trust="INVALID")
    suite = suite_of(junit_xml(evaluate(GATES[:1], run), summary=run, manifest=MANIFEST))
    assert (suite.get("timestamp"), suite.get("time")) == ("2026-01-01T00:00:00", "65.250")
    assert suite.get("hostname") == "runner-7"
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties == {"run_id": run["run_id"], "trust": "INVALID", "target": "endpoint"}
    assert suite.findtext("system-err") == "the client was the bottleneck"


def test_text_that_xml_cannot_hold_does_not_break_the_file() -> None:
    """A gate's name may have any character a TOML string has."""
    run = summary(key=variant(p99=500.0))
    gates = [parse("response_time.p99 < 50ms", name='<p99> & "q" \x1b[31m\x00')]
    suite = suite_of(junit_xml(evaluate(gates, run), summary=run, manifest=MANIFEST))
    assert suite.findall("testcase")[0].get("name") == '<p99> & "q" [31m'
