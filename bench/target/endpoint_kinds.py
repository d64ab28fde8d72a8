"""Which kinds of endpoint `--endpoint` can name: online ones by their name, serverless ones as `serverless/NAME`. Pure.

What azure-ai-ml 1.35 has no operations for is refused by its own name, for "not found" would send people looking for a
typing error.
"""

from __future__ import annotations

from bench.endpoint import SERVERLESS
from bench.errors import UsageError

_NOT_KNOWN = {
    "batch": ("a batch endpoint runs jobs and answers no requests", "measure an online or serverless endpoint"),
    "registry": (
        "a registry holds models and has no endpoints, nor does azure-ai-ml know any of one",
        "name the workspace that the model was deployed to with --workspace",
    ),
    "hub": (
        "a hub has no endpoints of its own; those of its projects are the projects'",
        "name the project with --workspace",
    ),
    "openai": (
        "azure-ai-ml has no keys of Azure OpenAI deployments",
        "give --scoring-uri and its key in BENCH_KEY, with --header-env api-key=VARIABLE",
    ),
}


def check_kind(endpoint: str) -> None:
    """UsageError for an endpoint of a kind that cannot be asked for its credential."""
    kind, slash, name = endpoint.partition("/")
    if not slash:
        return
    if kind in _NOT_KNOWN:
        said, cure = _NOT_KNOWN[kind]
        raise UsageError(f"--endpoint {endpoint}: {said}", hint=cure)
    if f"{kind}/" != SERVERLESS or not name or "/" in name:
        raise UsageError(
            f"--endpoint {endpoint}: {kind!r} is no kind of endpoint", hint="write NAME, or serverless/NAME"
        )
