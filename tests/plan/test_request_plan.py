"""Headers, routes and methods as the options give them."""

from __future__ import annotations

import argparse
import dataclasses
import json

import pytest

from bench.arguments import add_options
from bench.errors import UsageError
from bench.plan.options import RUN_OPTIONS
from bench.plan.request_plan import RequestPlan, listed, request_plan_of


def plan(*words: str) -> RequestPlan:
    """Of a command line."""
    parser = argparse.ArgumentParser()
    add_options(parser, RUN_OPTIONS, title="options")
    return request_plan_of({name: str(value or "") for name, value in vars(parser.parse_args(words)).items()})


def test_what_the_options_say() -> None:
    """Options that may be given again keep every value, and survive the way to a child process and to a worker."""
    words = ("--header", "X-A: 1, 2", "--header=X-B:3", "--header-env", "x-api-key=MY_KEY", "--path=/v1/chat?a=b")
    found = plan(*words, "--content-type", "text/csv; charset=utf-8", "--method=PUT")
    assert found == RequestPlan(
        content_type="text/csv; charset=utf-8",
        headers=(("X-A", "1, 2"), ("X-B", "3")),
        header_env=(("x-api-key", "MY_KEY"),),
        path="/v1/chat?a=b",
        method="PUT",
    )
    assert plan("--header", json.dumps(["X-A: 1, 2", "X-B:3"])).headers == found.headers
    assert RequestPlan.from_json(json.loads(json.dumps(dataclasses.asdict(found)))) == found
    assert listed("") == ()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--header", "X-A"], "no colon"),
        (["--header", ": 1"], "not a header's name"),
        (["--header", "X-A: 1\r\nX-B: 2"], "line breaks"),
        (["--header", "X-A\n: 1"], "not a header's name"),
        (["--header", "X-A: \u00e4"], "no header can"),
        (["--header", "Host: elsewhere"], "cannot be set"),
        (["--header", "transfer-encoding: chunked"], "cannot be set"),
        (["--header", "Authorization: Bearer hunter2"], "BENCH_KEY"),
        (["--header", "azureml-model-deployment: blue"], "--deployment"),
        (["--header", "Traceparent: 00-1-1-01"], "--traceparent"),
        (["--header", "Ocp-Apim-Subscription-Key: hunter2"], "--header-env Ocp-Apim-Subscription-Key=VARIABLE"),
        (["--header", "X-A: 1", "--header", "x-a: 2"], "given twice"),
        (["--header", "X-A: 1", "--header-env", "x-a=V"], "given twice"),
        (["--header-env", "X-Key=hunter2!"], "which variable"),
        (["--header-env", "Host=HOME"], "cannot be set"),
        (["--path", "http://elsewhere/"], "not a path"),
        (["--path", "/a b"], "not a path"),
        (["--path", "/a\r\nX: y"], "not a path"),
        (["--content-type", "image"], "not a content type"),
        (["--content-type", "image/png\r\nX: y"], "not a content type"),
        (["--requests", "a.jsonl", "--payload", "b.json"], "exclude each other"),
    ],
)
def test_what_cannot_be_sent(words: list[str], says: str) -> None:
    """One line that says what to do, and shows no secret."""
    with pytest.raises(UsageError) as caught:
        plan(*words)
    assert says in caught.value.describe()
    assert "hunter2" not in caught.value.describe()
