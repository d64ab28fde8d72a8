"""Gate results as JUnit XML, one case a gate, for the test tab of a CI server. Pure: results in, text out.

Valid by both schemas in use, Windy Road's of the Ant task (github.com/windyroad/JUnit-Schema) and the looser one
of Jenkins' xUnit plugin. FAIL is a failure; INCONCLUSIVE and NO_DATA are errors, for a skipped case would be green.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from bench.gates.result import GateResult, GateVerdict

_ELEMENT = {GateVerdict.FAIL: "failure", GateVerdict.INCONCLUSIVE: "error", GateVerdict.NO_DATA: "error"}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Sequence[GateResult], *, summary: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """The file's text. Trust and target of the run go into the suite's properties, its end is the suite's time."""
    trust = summary.get("trust", {})
    elements = [_ELEMENT.get(result.verdict) for result in results]
    root = ET.Element("testsuites")
    suite = ET.SubElement(
        root,
        "testsuite",
        name="bench gates",
        package="bench",
        id="0",
        timestamp=_started(manifest),
        hostname=_clean(str(manifest.get("host", {}).get("hostname") or "localhost")),
        tests=str(len(results)),
        failures=str(elements.count("failure")),
        errors=str(elements.count("error")),
        time=_lasted_s(manifest),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("run_id", summary.get("run_id", "")),
        ("trust", trust.get("verdict", "")),
        ("target", manifest.get("target", {}).get("kind", "")),
    ):
        ET.SubElement(properties, "property", name=name, value=_clean(str(value)))
    for result, element in zip(results, elements, strict=True):
        case = ET.SubElement(suite, "testcase", name=_clean(result.label), classname="bench.gates", time="0")
        if element:
            sentence = _clean(result.sentence)
            found = ET.SubElement(case, element, type=str(result.verdict), message=sentence)
            found.text = f"{_clean(str(result.gate))}\n{sentence}"
    ET.SubElement(suite, "system-out").text = _clean("\n".join(result.sentence for result in results))
    ET.SubElement(suite, "system-err").text = _clean("\n".join(trust.get("reasons", [])))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _started(manifest: Mapping[str, Any]) -> str:
    """Whole seconds in UTC and no zone, as the Ant schema wants it; the epoch when the manifest does not say."""
    wall_ns = manifest.get("clock", {}).get("wall_ns", 0)
    return datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _lasted_s(manifest: Mapping[str, Any]) -> str:
    return f"{manifest.get('ended', {}).get('at_ns', 0) / 1e9:.3f}"


def _clean(text: str) -> str:
    """Without the control characters XML cannot hold."""
    return _NOT_XML.sub("?", text)
