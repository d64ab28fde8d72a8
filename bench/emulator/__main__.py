"""`python -m bench.emulator`: read the options, serve, clean up. Edge; owns this process's exit code.

0 stopped as asked, 2 bad options, a bad fault script, a taken port or a file that cannot be written, 4 the machine has
no room for it: descriptors, ports, disk, memory.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from bench.emulator import options, parent, room
from bench.emulator.admin import read_script
from bench.emulator.announce import for_people
from bench.emulator.faults import FaultScriptError
from bench.emulator.listeners import PortTakenError
from bench.emulator.server import serve
from bench.emulator.settings import Settings

_WRONG, _NO_ROOM = 2, 4


def main() -> int:
    """Run the emulator until it is stopped; the exit code."""
    settings = options.parse()
    if settings.die_with_parent:
        parent.signal_its_death()
    room.take_descriptors()
    try:
        script = read_script(settings.faults.read_bytes()) if settings.faults else ()
        with tempfile.TemporaryDirectory(prefix="bench-emulator-") as folder:
            uvloop.run(
                serve(settings, script=script, folder=Path(folder), on_ready=lambda said: _ready(settings, said))
            )
    except FaultScriptError as exc:
        return _fail(f"{settings.faults}: {exc}")
    except PortTakenError as exc:
        return _fail(str(exc))
    except OSError as exc:
        if lacked := room.lacking(exc):
            return _fail(lacked, code=_NO_ROOM)
        return _fail(f"{exc.filename or 'network or temporary folder'}: {exc.strerror or exc}")
    return 0


def _ready(settings: Settings, said: dict[str, Any]) -> None:
    print(json.dumps(said) if settings.json_line else for_people(said), flush=True)  # noqa: T201 - its interface
    # What lives now lives for good; the collector shall not walk it in the middle of somebody's service time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _fail(line: str, *, code: int = _WRONG) -> int:
    sys.stderr.write(f"bench emulator: {line}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
