"""A history's line has a published schema, which `UPDATE_SCHEMAS=1` writes anew."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec

from bench.history.entry import Entry

FILE = Path(__file__).parents[2] / "docs/schemas/history.json"


def test_the_published_schema_is_that_of_the_code() -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Entry)}
    text = json.dumps(schema, indent=2) + "\n"
    if os.environ.get("UPDATE_SCHEMAS"):
        FILE.write_text(text)
    assert FILE.read_text() == text, "run: make schemas"
