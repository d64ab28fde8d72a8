"""What a run is aimed at: exactly one target, and never a secret among the options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.endpoint import AuthMode, Endpoint, Workspace
from bench.errors import CredentialError, UsageError
from bench.plan.request_plan import RequestPlan
from bench.plan.run_plan import Variant
from bench.plan.variants import sides_of
from bench.target.spec import (
    TargetSpec,
    header_origins,
    kind_of,
    secret_headers_of,
    secret_origins,
    spec_of,
    static_secret,
    variants_of,
)

KEY, TOKEN, AAD = AuthMode.KEY, AuthMode.AML_TOKEN, AuthMode.AAD_TOKEN
PLACE = {"subscription_id": "sub", "resource_group": "rg", "workspace": "ws"}
CLEAN = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_WORKSPACE", "BENCH_KEY", "BENCH_TOKEN")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and nothing in the environment that would name a workspace."""
    monkeypatch.chdir(tmp_path)
    for name in CLEAN:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def spec(default: tuple[AuthMode, ...] = (KEY,), **values: Any) -> TargetSpec:
    return spec_of(values, default_modes=default, emulator=None)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"emulator": True}, "emulator"),
        ({"emulator": "true", "endpoint": "", "scoring_uri": None}, "emulator"),
        ({"endpoint": "ep"}, "endpoint"),
        ({"scoring_uri": "http://h/", "emulator": False}, "scoring_uri"),
    ],
)
def test_one_target(values: dict[str, Any], kind: str) -> None:
    """From a command line, an environment or a form."""
    assert kind_of(values) == kind


@pytest.mark.parametrize("values", [{}, {"emulator": False}, {"endpoint": " "}, {"emulator": "no", "scoring_uri": ""}])
def test_no_target_is_an_error_that_lists_the_three(values: dict[str, Any]) -> None:
    """Nothing falls back to the emulator: a gate in CI would turn green on it."""
    with pytest.raises(UsageError) as caught:
        kind_of(values)
    for flag in ("--emulator", "--endpoint", "--scoring-uri"):
        assert flag in caught.value.describe()


def test_two_targets_exclude_each_other() -> None:
    """Both are named."""
    with pytest.raises(UsageError, match="--emulator and --scoring-uri exclude each other"):
        kind_of({"emulator": True, "scoring_uri": "http://h/"})


def test_an_endpoint_with_its_uri_is_not_read() -> None:
    """The one pair that is allowed, and it needs a mode, for ARM is not asked (D1)."""
    pair = {"endpoint": "ep", "scoring_uri": "http://h/score"}
    with pytest.raises(UsageError, match="needs --auth-mode"):
        kind_of(pair)
    made = spec(**pair, auth_mode="key", **PLACE)
    assert not made.reads_endpoints
    (variant,) = variants_of(made, {}, sides_of(pair | {"auth_mode": "key"}, default_modes=(KEY,)))
    assert (variant.endpoint, variant.scoring_uri, variant.auth_mode) == ("ep", "http://h/score", KEY)
    assert spec(endpoint="ep", **PLACE).reads_endpoints


def test_an_entra_token_for_a_known_uri_needs_no_workspace() -> None:
    """It concerns nothing of ARM (D1)."""
    assert spec(endpoint="ep", scoring_uri="http://h/score", auth_mode="aad_token").workspace is not None


def test_the_endpoints_own_mode() -> None:
    """Without a mode anywhere it is measured in whatever it has (D16), and named for it."""
    made = spec((), endpoint="a", **PLACE)
    (variant,) = variants_of(made, {"a": endpoint("a", TOKEN)}, sides_of({"endpoint": "a"}, default_modes=()))
    assert (variant.name, variant.auth_mode) == ("aml_token", TOKEN)
    with pytest.raises(UsageError, match="endpoint a uses aml_token, not key"):
        variants({"a": endpoint("a", TOKEN)}, endpoint="a", auth_mode="key", **PLACE)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("", "AzureCloud"),
        ("AzureUSGovernment", "AzureUSGovernment"),
        ("azurechinacloud", "AzureChinaCloud"),
        ("usgov", "AzureUSGovernment"),
    ],
)
def test_clouds(given: str, name: str) -> None:
    """By the SDK's names, in any case (D10)."""
    assert spec(endpoint="ep", cloud=given, **PLACE).sign_in.cloud == name


def test_a_cloud_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2 with the choices; the SDK's variable is named when it was that (D10)."""
    with pytest.raises(UsageError, match="--cloud: 'AzureCluod' is no Azure cloud"):
        spec(endpoint="ep", cloud="AzureCluod", **PLACE)
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureUSGoverment")
    with pytest.raises(UsageError, match="AZUREML_CURRENT_CLOUD") as caught:
        spec(endpoint="ep", **PLACE)
    assert "AzureUSGovernment, AzureChinaCloud" in caught.value.hint
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureUSGovernment")
    assert spec(endpoint="ep", **PLACE).sign_in.cloud == "AzureUSGovernment"
    assert spec(endpoint="ep", cloud="AzureCloud", **PLACE).sign_in.cloud == "AzureCloud"


@pytest.mark.parametrize(
    ("option", "value"),
    [("tenant_id", "a b"), ("client_id", "--x;"), ("sign_in_timeout", "0"), ("sign_in_timeout", "x")],
)
def test_a_sign_in_that_makes_no_sense(option: str, value: str) -> None:
    """Exit 2, naming the option."""
    with pytest.raises(UsageError, match="--" + option.replace("_", "-")):
        spec(endpoint="ep", **PLACE, **{option: value})


@pytest.mark.parametrize(
    ("secret", "says"), [("Bearer hunter2", "leave Bearer out"), ('"hunter2"', "quotes"), ("'hunter2'", "quotes")]
)
def test_a_secret_that_was_copied_with_its_surroundings(
    secret: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to leave out is said, and the secret is not shown (D15)."""
    monkeypatch.setenv("BENCH_KEY", secret)
    with pytest.raises(CredentialError) as caught:
        static_secret(KEY)
    assert says in caught.value.describe()
    assert "hunter2" not in caught.value.describe()


def test_an_endpoint_serves_every_mode_it_is_asked_for() -> None:
    """One name for all modes, or one a mode."""
    assert spec(endpoint="ep", **PLACE).endpoints == ("ep",)
    assert spec(endpoint="ep", auth_mode="key,key", **PLACE).endpoints == ("ep", "ep")
    both = spec(endpoint=" a , b ", auth_mode="key,aml_token", **PLACE)
    assert (both.endpoints, both.auth_modes) == (("a", "b"), (KEY, TOKEN))
    assert spec((TOKEN, AAD), endpoint="a,b", **PLACE).auth_modes == (TOKEN, AAD)


@pytest.mark.parametrize(
    "values",
    [
        {"endpoint": "a,b", "auth_mode": "key,key,key"},
        {"endpoint": ","},
        {"scoring_uri": "http://a/1,http://a/2", "auth_mode": "key,key,key"},
    ],
)
def test_names_and_modes_must_pair(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of different lengths are a question, not a guess; no name at all is no endpoint."""
    monkeypatch.setenv("BENCH_KEY", "k")
    with pytest.raises(UsageError) as caught:
        spec(**PLACE, **values)
    assert caught.value.exit_code == 2
    assert "one for each" in caught.value.describe() or "names nothing" in caught.value.describe()


@pytest.mark.parametrize(("mode", "variable"), [(KEY, "BENCH_KEY"), (TOKEN, "BENCH_TOKEN"), (AAD, "BENCH_TOKEN")])
def test_a_static_secret_comes_from_the_environment(
    mode: AuthMode, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without surrounding white space, and never in the spec, which goes to workers and logs."""
    with pytest.raises(CredentialError, match=variable):
        spec(scoring_uri="http://h/", auth_mode=mode.value)
    monkeypatch.setenv(variable, " hunter2\n")
    assert static_secret(mode) == "hunter2"
    made = spec(scoring_uri="http://h/", auth_mode=mode.value)
    assert "hunter2" not in repr(made) + json.dumps(made.as_json())


@pytest.mark.parametrize("secret", ["hunter2\r\nX-Injected: 1", "hunter 2", "hünter2", "hunter2\x00"[:-1] + "\x7f"])
def test_a_secret_that_cannot_be_a_header(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused without being shown."""
    monkeypatch.setenv("BENCH_KEY", secret)
    with pytest.raises(CredentialError) as caught:
        static_secret(KEY)
    assert "nter" not in caught.value.describe()


def variants(described: dict[str, Endpoint], **values: Any) -> tuple[Variant, ...]:
    """Of options, and of what ARM says."""
    return variants_of(spec(**values), described, sides_of(values, default_modes=(KEY,)))


def endpoint(name: str, mode: AuthMode) -> Endpoint:
    return Endpoint(name=name, scoring_uri=f"https://{name}/score", auth_mode=mode)


def test_variants_of_endpoints() -> None:
    """One a side, with the scoring URI that ARM reports, and its own deployment."""
    described = {"a": endpoint("a", KEY), "b": endpoint("b", TOKEN)}
    made = variants(described, endpoint="a,b", auth_mode="key,aml_token", deployment="blue,green", **PLACE)
    assert [(one.name, one.auth_mode, one.endpoint, one.scoring_uri, one.deployment) for one in made] == [
        ("key", KEY, "a", "https://a/score", "blue"),
        ("aml_token", TOKEN, "b", "https://b/score", "green"),
    ]


def test_a_mode_the_endpoint_does_not_use() -> None:
    """Refused before anything is sent, so that no figure stands under a wrong name."""
    with pytest.raises(UsageError, match="endpoint a uses key, not aml_token"):
        variants({"a": endpoint("a", KEY)}, endpoint="a", auth_mode="key,aml_token", **PLACE)


def test_variants_of_a_bare_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two routes of one server are distinguished by what differs; a comma within a URI belongs to it."""
    monkeypatch.setenv("BENCH_KEY", "k")
    made = variants({}, scoring_uri="http://a/1,http://a:80/2?x=1,2", auth_mode="key")
    assert [(one.name, one.scoring_uri, one.secret_number) for one in made] == [
        ("1", "http://a/1", 0),
        ("2", "http://a:80/2?x=1,2", 0),
    ]


OTHER_ORIGINS = [
    "http://a/,http://b/",
    "http://a/,https://a/",
    "http://a/,http://a:81/",
    "http://a/,http://a@b/",
    "http://a/,http://[::1",
    "http://a/,http://a.b/",
]


@pytest.mark.parametrize("uris", OTHER_ORIGINS)
def test_a_static_secret_goes_to_one_origin(uris: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers at the second one would learn the secret of the first."""
    monkeypatch.setenv("BENCH_KEY", "k")
    with pytest.raises(UsageError, match="BENCH_KEY would be sent to") as caught:
        spec(scoring_uri=uris, auth_mode="key,key")
    assert caught.value.exit_code == 2
    assert "BENCH_KEY_1" in caught.value.describe()


@pytest.mark.parametrize("uris", [uris for uris in OTHER_ORIGINS if "@" not in uris and "[" not in uris])
def test_each_origin_may_have_a_secret_of_its_own(uris: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the list's order; what is bound to an origin is that variable, and it is what is sent there."""
    monkeypatch.setenv("BENCH_KEY_1", "one")
    monkeypatch.setenv("BENCH_KEY_2", "two")
    made = spec(scoring_uri=uris)
    numbers = [
        one.secret_number for one in variants_of(made, {}, sides_of({"scoring_uri": uris}, default_modes=(KEY,)))
    ]
    assert [static_secret(KEY, number) for number in numbers] == ["one", "two"]
    bound = secret_origins({"scoring_uri": uris}, default_modes=(KEY,))
    assert {name for name, _ in bound} == {"BENCH_KEY_1", "BENCH_KEY_2"}
    swapped = ",".join(reversed(uris.split(",")))
    assert not secret_origins({"scoring_uri": swapped}, default_modes=(KEY,)) <= bound


def test_two_static_secrets_may_go_to_two_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key and a token are two secrets; two kinds of token are one."""
    monkeypatch.setenv("BENCH_KEY", "k")
    monkeypatch.setenv("BENCH_TOKEN", "t")
    assert spec(scoring_uri="http://a/,http://b/", auth_mode="key,aml_token").scoring_uris == ("http://a/", "http://b/")
    with pytest.raises(UsageError, match="BENCH_TOKEN would be sent to"):
        spec(scoring_uri="http://a/,http://b/", auth_mode="aml_token,aad_token")


def test_a_header_s_secret_goes_to_one_origin_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several origins have a variable each; nothing of what cannot be sent is shown."""
    request = RequestPlan(header_env=(("x-api-key", "MY_KEY"),))
    monkeypatch.setenv("MY_KEY", "for all")
    monkeypatch.setenv("MY_KEY_2", "hunter2\n")
    assert secret_headers_of(request) == (("x-api-key", "for all"),)
    assert secret_headers_of(request, ["http://a/1", "http://a/2"], 1) == (("x-api-key", "for all"),)
    assert secret_headers_of(request, ["http://a/", "http://b/"], 1) == (("x-api-key", "hunter2"),)
    with pytest.raises(CredentialError, match="MY_KEY_1 is not set"):
        secret_headers_of(request, ["http://a/", "http://b/"], 0)
    monkeypatch.setenv("MY_KEY", "hunter2\r\nX: y")
    with pytest.raises(UsageError) as caught:
        secret_headers_of(request)
    assert "hunter2" not in caught.value.describe()


@pytest.mark.parametrize(
    ("started", "asked"),
    [
        ({"endpoint": "a"}, {"endpoint": "b"}),
        ({"emulator": True}, {"scoring_uri": "http://elsewhere/"}),
        ({"scoring_uri": "http://a/"}, {"scoring_uri": "http://b/"}),
        ({"scoring_uri": "http://a/"}, {"scoring_uri": "http://a/", "header_env": "x=AZURE_CLIENT_SECRET"}),
    ],
)
def test_where_a_header_s_secret_is_bound_to(started: dict[str, Any], asked: dict[str, Any]) -> None:
    """To the variable and the target that the process was started with."""
    bound = header_origins({"header_env": "x=MY_KEY", **started})
    assert bound
    assert not header_origins({"header_env": "x=MY_KEY", **asked}) <= bound


specs = st.builds(
    TargetSpec,
    kind=st.sampled_from(("emulator", "endpoint", "scoring_uri")),
    auth_modes=st.lists(st.sampled_from(AuthMode), max_size=3).map(tuple),
    endpoints=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    scoring_uris=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    workspace=st.none()
    | st.builds(Workspace, subscription_id=st.text(), resource_group=st.text(), workspace_name=st.text()),
    agent_env=st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3).map(tuple),
)


@given(made=specs)
def test_a_spec_survives_the_way_to_a_worker(made: TargetSpec) -> None:
    """Through JSON it is the same spec."""
    assert TargetSpec.from_json(json.loads(json.dumps(made.as_json()))) == made
