"""What the emulator was asked to be. Pure noun, built by `options`, read by everybody.

Durations are seconds on the outside (`_s`), nanoseconds where the data plane counts (`_ns`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"

ENDPOINT_NAMES = {"key": "ep-key", "aml_token": "ep-aml-token", "aad_token": "ep-aad-token"}
"""Auth mode at the start -> name of its endpoint."""
SERVERLESS_NAME = "ep-serverless"


CLOUDS = {
    "AzureCloud": (("https://management.azure.com", "https://management.core.windows.net"), "https://ml.azure.com"),
    "AzureUSGovernment": (
        ("https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net"),
        "https://ml.azure.us",
    ),
    "AzureChinaCloud": (
        ("https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn"),
        "https://ml.azure.cn",
    ),
}
"""Cloud -> audiences of a token for the control plane, and of one for scoring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """The schedule of an answer that is streamed because the request's body says `"stream": true`.

    The first token comes after `first_base_ns` plus an exponential of mean `first_exponential_ns`, each further one
    after such a gap. `tokens` is how many there are where the body has no max_tokens. `faults` are (name, percent of
    streams).
    """

    first_base_ns: int = 50_000_000
    first_exponential_ns: int = 20_000_000
    gap_base_ns: int = 10_000_000
    gap_exponential_ns: int = 2_000_000
    tokens: int = 64
    faults: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """How long the model takes, and how many of it there are.

    A service time is `base_ns` plus an exponential of mean `exponential_ns`, drawn from `seed`.
    Each endpoint has `instances` x `max_concurrent_requests` slots a deployment; twice that many may
    be pending before the answer is 429 (Microsoft Learn, "Troubleshoot online endpoints").
    `delays_ns` slows single deployments down. `rate_limit` is requests a second an endpoint, `tokens_per_minute` tokens
    of streamed answers and their prompts; 0 for none.
    """

    base_ns: int = 10_000_000
    exponential_ns: int = 3_000_000
    seed: int = 1
    instances: int = 2
    max_concurrent_requests: int = 1000
    request_timeout_ns: int = 5_000_000_000
    rate_limit: int = 0
    tokens_per_minute: int = 0
    response_bytes: int = 0
    delays_ns: tuple[tuple[str, int], ...] = ()
    stream: StreamSettings = field(default_factory=StreamSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings:
    """How long tokens live.

    `aml_refresh_after_s` is when the control plane advises to fetch an aml_token again. The two Entra
    lives stay far above 300 s by default: MSAL takes a token with less left for expired.
    """

    aml_life_s: float = 3600.0
    aml_refresh_after_s: float = 1800.0
    aad_life_s: float = 3600.0
    arm_life_s: float = 3600.0
    validation_delay_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the command line says; the defaults are a workspace that never refuses and never changes."""

    port: int = 0
    subscription_id: str = "00000000-0000-4000-8000-000000000001"
    resource_group: str = "bench"
    workspace_name: str = "emulator"
    location: str = "westeurope"
    cloud: str = "AzureCloud"
    tenant_id: str = "00000000-0000-4000-8000-00000000beef"
    traffic: tuple[tuple[str, int], ...] = (("blue", 100),)
    denied: tuple[str, ...] = ()
    denied_score_status: int = 401
    model: ModelSettings = field(default_factory=ModelSettings)
    tokens: TokenSettings = field(default_factory=TokenSettings)
    tls: bool = False
    faults: Path | None = None
    hold_faults: bool = False
    truth: Path | None = None
    log: Path | None = None
    json_line: bool = False
    arm_throttling: bool = False
    die_with_parent: int | None = None
    busy_poll: bool = False
