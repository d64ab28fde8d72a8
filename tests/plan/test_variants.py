"""How comma lists pair into the sides of a run, and what the sides are called."""

from __future__ import annotations

from typing import Any

import pytest

from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.variants import Sides, sides_of, uris_of

KEY, TOKEN, AAD = AuthMode.KEY, AuthMode.AML_TOKEN, AuthMode.AAD_TOKEN


def sides(default: tuple[AuthMode, ...] = (KEY,), **values: Any) -> Sides:
    return sides_of(values, default_modes=default)


@pytest.mark.parametrize(
    ("default", "values", "modes", "names"),
    [
        ((KEY,), {"endpoint": "ep"}, (KEY,), ("key",)),
        ((KEY,), {"endpoint": "ep", "deployment": "blue"}, (KEY,), ("key",)),
        ((KEY, TOKEN), {"emulator": True}, (KEY, TOKEN), ("key", "aml_token")),
        ((KEY, TOKEN), {"endpoint": "a,b"}, (KEY, TOKEN), ("key", "aml_token")),
        ((KEY, TOKEN), {"endpoint": "a,b", "auth_mode": "key"}, (KEY, KEY), ("a", "b")),
        ((KEY, TOKEN), {"endpoint": "a,b,c"}, (KEY, KEY, KEY), ("a", "b", "c")),
        ((KEY, TOKEN), {"endpoint": "ep", "deployment": "blue,green"}, (KEY, KEY), ("blue", "green")),
        ((KEY, TOKEN), {"emulator": "true", "deployment": "blue,green,red"}, (KEY,) * 3, ("blue", "green", "red")),
        ((KEY,), {"endpoint": "ep", "auth_mode": "aml_token", "deployment": "a,b"}, (TOKEN, TOKEN), ("a", "b")),
        ((KEY,), {"emulator": True, "auth_mode": "key,key"}, (KEY, KEY), ("key", "key#2")),
        (
            (KEY,),
            {"emulator": True, "auth_mode": "key,key,aml_token"},
            (KEY, KEY, TOKEN),
            ("key", "key#2", "aml_token"),
        ),
        (
            (KEY,),
            {"endpoint": "a,a,b", "deployment": "x,y,x", "auth_mode": "key"},
            (KEY, KEY, KEY),
            ("x-a", "y-a", "x-b"),
        ),
        ((KEY,), {"scoring_uri": "http://a:1/s,http://a:2/s"}, (KEY, KEY), ("a-1", "a-2")),
        ((KEY,), {"scoring_uri": "http://h/v1/m,http://h/v2/m"}, (KEY, KEY), ("v1-m", "v2-m")),
    ],
)
def test_lists_pair_and_sides_are_called_by_what_differs(
    default: tuple[AuthMode, ...], values: dict[str, Any], modes: tuple[AuthMode, ...], names: tuple[str, ...]
) -> None:
    """One entry is shared by all."""
    made = sides(default, **values)
    assert (made.auth_modes, made.names) == (modes, names)


@pytest.mark.parametrize(
    "values",
    [
        {"endpoint": "a,b", "deployment": "x,y,z"},
        {"endpoint": "a,b", "auth_mode": "key,key,aml_token"},
        {"scoring_uri": "http://a/,http://b/", "deployment": "x,y,z"},
        {"endpoint": ","},
        {"deployment": " , "},
        {"scoring_uri": ","},
    ],
)
def test_lists_that_do_not_pair(values: dict[str, Any]) -> None:
    """Different lengths are never a product, and a list of nothing is no list."""
    with pytest.raises(UsageError, match=r"entries|names nothing") as caught:
        sides(**values)
    assert caught.value.exit_code == 2


def test_a_comma_within_a_uri_is_no_list() -> None:
    """The next URI begins with its scheme."""
    assert uris_of("https://h/score?ids=1,2&x=http, https://i/,HTTP://j/") == (
        "https://h/score?ids=1,2&x=http",
        "https://i/",
        "HTTP://j/",
    )
    assert uris_of(" http://h/ ,") == ("http://h/",)
    assert uris_of("") == ()
