"""Which workspace is meant: as azure-ai-ml finds it, from one source at a time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench.endpoint import Workspace
from bench.errors import UsageError
from bench.target.workspace import find_workspace

CONFIG = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
FOUND = Workspace(**CONFIG)
OPTIONS = {"subscription_id": "so", "resource_group": "go", "workspace": "wo"}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and nothing in the environment that would name a workspace."""
    for name in [name for name in os.environ if name.startswith("AZURE")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, document: object, *, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding=encoding)


@pytest.mark.parametrize("text", ["{", "[]", "3", '"here"', "null"])
def test_a_file_that_is_broken_is_named(text: str, nowhere: Path) -> None:
    write(nowhere / "config.json", text)
    with pytest.raises(UsageError, match=r"config\.json cannot be read"):
        find_workspace({})


def test_a_scope_that_names_no_workspace(nowhere: Path) -> None:
    write(nowhere / "config.json", {"Scope": "/subscriptions/s"})
    with pytest.raises(UsageError, match="Scope that names no workspace"):
        find_workspace({})


@pytest.mark.parametrize("given", [{}, {"subscription_id": "s"}])
def test_nothing_names_one(given: dict[str, str]) -> None:
    """What is missing, and where it could come from."""
    with pytest.raises(UsageError) as caught:
        find_workspace(given)
    assert "workspace name" in caught.value.message
    assert "config.json" in caught.value.hint


def test_sources_are_not_mixed(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resource group of the options and a workspace of somebody's file make a place that nobody meant (D13)."""
    write(nowhere / "config.json", CONFIG)
    with pytest.raises(UsageError, match="needs subscription id and workspace name"):
        find_workspace({"resource_group": "other"})
    monkeypatch.setenv("AZURE_RESOURCE_GROUP", "env")
    with pytest.raises(UsageError, match="needs subscription id and workspace name"):
        find_workspace({})


def test_complete_options_read_no_file(nowhere: Path) -> None:
    """Not even a broken one (D13)."""
    write(nowhere / "config.json", "{")
    found = find_workspace(OPTIONS)
    assert (found.workspace.workspace_name, found.source) == ("wo", "options")


@pytest.mark.parametrize("folder", ["", ".azureml", "aml_config"])
@pytest.mark.parametrize("levels", [0, 2])
def test_the_file_is_found_as_the_sdk_finds_it(
    folder: str, levels: int, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here or in a parent, with a byte order mark or without."""
    write(nowhere / folder / "config.json", CONFIG, encoding="utf-8-sig")
    deeper = nowhere.joinpath(*["deep"] * levels)
    deeper.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(deeper)
    found = find_workspace({})
    assert found.workspace == FOUND
    assert found.source.endswith("config.json")


def test_a_scope(nowhere: Path) -> None:
    """The older form of the file."""
    scope = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
    write(nowhere / "config.json", {"Scope": scope})
    assert find_workspace({}).workspace == FOUND


def test_the_order_is_the_sdks(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real MLClient.from_config, asked about the same folders, finds the same workspace."""
    ask = """
import sys
from azure.ai.ml import MLClient
client = MLClient.from_config(object())
print(client.subscription_id, client.resource_group_name, client.workspace_name)
"""
    import subprocess
    import sys

    inner = nowhere / "inner"
    write(nowhere / ".azureml" / "config.json", CONFIG)
    write(inner / "config.json", {name: f"near-{value}" for name, value in CONFIG.items()})
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=inner, capture_output=True, text=True, check=True, timeout=60
    )
    monkeypatch.chdir(inner)
    ours = find_workspace({}).workspace
    assert done.stdout.split() == [ours.subscription_id, ours.resource_group, ours.workspace_name]


@pytest.mark.parametrize(
    "names",
    [
        ("AZUREML_ARM_SUBSCRIPTION", "AZUREML_ARM_RESOURCEGROUP", "AZUREML_ARM_WORKSPACE_NAME"),
        ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_WORKSPACE"),
    ],
)
def test_the_environment(names: tuple[str, ...], nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Azure ML sets on its own compute, and what CI jobs set; before any file."""
    write(nowhere / "config.json", dict.fromkeys(CONFIG, "file"))
    for name, value in zip(names, CONFIG.values(), strict=True):
        monkeypatch.setenv(name, value)
    assert find_workspace({}).workspace == FOUND


def test_a_subscription_alone_completes_a_source(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is set for everybody on many machines, and says nothing of a workspace."""
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "env")
    assert find_workspace({"resource_group": "g", "workspace": "w"}).workspace.subscription_id == "env"
    write(nowhere / "config.json", CONFIG)
    assert find_workspace({}).workspace == FOUND


@pytest.mark.parametrize("document", [{"subscription_id": 3}, {"workspace_name": ["w"]}, {"Scope": 3}, {"Scope": {}}])
def test_a_value_of_another_type_is_no_name(document: object, nowhere: Path) -> None:
    """It is named by its key, and not taken for the text that it looks like."""
    write(nowhere / "config.json", {**CONFIG, **document})
    with pytest.raises(UsageError, match=r"config\.json cannot be read: it does not fit its schema: .*\$"):
        find_workspace({})


def test_another_encoding_has_a_cure(nowhere: Path) -> None:
    write(nowhere / "config.json", CONFIG, encoding="utf-16")
    with pytest.raises(UsageError) as caught:
        find_workspace({})
    assert "save it as UTF-8 JSON" in caught.value.hint


def test_null_is_no_name(nowhere: Path) -> None:
    """As the portal's file has it where nothing was chosen."""
    write(nowhere / "config.json", {**CONFIG, "workspace_name": None})
    with pytest.raises(UsageError, match="needs workspace name"):
        find_workspace({})
