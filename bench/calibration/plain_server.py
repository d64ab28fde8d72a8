"""A server that answers at once, for saturated load: nginx, else the emulator. Edge: owns that process."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.calibration.bench_run import emulator_on, hold
from bench.errors import RunInvalid

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{{"result": [1]}}'; }} }}
}}
"""
_TRIES = 100
_PAUSE_S = 0.05


@contextmanager
def plain_server(core: int | None, folder: Path) -> Iterator[tuple[str, str]]:
    """Its scoring URI and its name. nginx is held on `core`, as is the emulator where nginx is missing.

    `folder` gets its files. RunInvalid when nginx does not start.
    """
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        with emulator_on(core, "--service-zero", folder / "unused-truth") as facts:
            yield facts["scoring_uri"]["key"], "emulator"
        return
    configuration, port = folder / "nginx.conf", _free_port()
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port), encoding="utf-8")
    process = subprocess.Popen([nginx, "-c", str(configuration), "-e", str(folder / "nginx.log")])
    try:
        hold(core, process.pid)
        _until_it_listens(port)
        if core is not None:
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split():
                hold(core, int(child))
        yield f"http://127.0.0.1:{port}/score", "nginx"
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_it_listens(port: int) -> None:
    for _ in range(_TRIES):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(_PAUSE_S)
        else:
            return
    raise RunInvalid("nginx did not start", hint="try `nginx -t`")
