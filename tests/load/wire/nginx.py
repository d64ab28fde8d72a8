"""A real nginx on free ports, for tests against a server nobody here wrote."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.load.wire.authority import Authority

_READY_WITHIN_S = 10.0
_TRIES = 5
BINARY = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

_CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; default_type application/json; root {folder}/www; lingering_timeout 1s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_max_body_size 20m; error_page 405 =200 $uri;

  server {{
    listen 127.0.0.1:{plain}; {v6}
    location /score {{ add_header azureml-model-deployment blue; return 200 '{{"ok":1}}'; }}
    location /read {{ proxy_pass http://127.0.0.1:{plain}/score; }}
    location /chunked {{ ssi on; ssi_types *; }}
    location /empty {{ return 204; }}
    location /zero {{ return 200 ''; }}
    location /refuses {{ client_max_body_size 1k; proxy_pass http://127.0.0.1:{plain}/score; }}
    location /redirect {{ return 307 /score; }}
    location /gone {{ return 444; }}
    location /big.bin {{ sendfile on; }}
  }}
  server {{ listen 127.0.0.1:{five}; keepalive_requests 5; location / {{ return 200 'ok'; }} }}
  server {{ listen 127.0.0.1:{hasty}; keepalive_timeout 1s; location / {{ return 200 'ok'; }} }}
  server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {good}; ssl_certificate_key {good};
            location / {{ return 200 'ok'; }} location /big.bin {{ }}
            location /read {{ proxy_pass http://127.0.0.1:{plain}/score; }} }}
  server {{ listen 127.0.0.1:{expired} ssl; ssl_certificate {bad}; ssl_certificate_key {bad}; }}
  server {{ listen 127.0.0.1:{other} ssl; ssl_certificate {others}; ssl_certificate_key {others}; }}
}}
"""
_PORTS = ("plain", "five", "hasty", "tls", "expired", "other")


@dataclass(frozen=True)
class Nginx:
    """Ports by name."""

    ports: dict[str, int]
    has_v6: bool

    def uri(self, path: str, *, port: str = "plain", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.ports[port]}{path}"


@contextlib.contextmanager
def nginx(folder: Path, authority: Authority, big_file: Path) -> Iterator[Nginx]:
    """Run it; other ports are tried when somebody else took one in the meantime."""
    assert BINARY is not None
    (folder / "www").mkdir()
    (folder / "www" / "chunked").write_text("<!--# echo var='request_method' -->" + "x" * 100_000)
    shutil.copy(big_file, folder / "www" / "big.bin")
    for _ in range(_TRIES):
        ports = _free_ports()
        v6 = _has_v6()
        text = _CONFIGURATION.format(
            folder=folder,
            v6=f"listen [::1]:{ports['plain']};" if v6 else "",
            good=authority.certificate("127.0.0.1", "localhost").pem,
            bad=authority.certificate("127.0.0.1", expired=True).pem,
            others=authority.certificate("example.org").pem,
            **ports,
        )
        (folder / "nginx.conf").write_text(text)
        process = subprocess.Popen([BINARY, "-c", str(folder / "nginx.conf"), "-p", str(folder)])
        try:
            if _listens(process, ports):
                yield Nginx(ports, v6)
                return
        finally:
            process.terminate()
            process.wait(timeout=300)
    raise AssertionError(f"nginx does not start: {(folder / 'error.log').read_text()}")


def _listens(process: subprocess.Popen[bytes], ports: dict[str, int]) -> bool:
    deadline = time.monotonic() + _READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", ports["other"]), timeout=1):
            return True
        time.sleep(0.02)
    return False


def _free_ports() -> dict[str, int]:
    with contextlib.ExitStack() as sockets:
        listeners = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in _PORTS]
        return {name: listener.getsockname()[1] for name, listener in zip(_PORTS, listeners, strict=True)}


def _has_v6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
