"""What every file's numbers and names may be. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

VERSION = 1
"""`schema_version` of every file here; a file of a higher one is refused."""

Version = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Ns = Annotated[int, Meta(ge=-(2**53), le=2**53)]
WallNs = Annotated[int, Meta(ge=0, le=2**62)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
Rate = Annotated[float, Meta(gt=0, le=1e9)]
Figure = float | None
"""One that cannot be computed is null."""
