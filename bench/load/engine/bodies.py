"""The bodies of `--payload`: a file, the lines of a file, the files of a folder. Edge: reads them.

What is small is read once and kept. A feeder of any size beyond that stays on disk: of the lines of a file only their
places are kept (8 bytes each), and a body is read when its request is due (from the system's cache, as a rule). It is
read and not mapped, for a mapped file that somebody cuts short meanwhile kills the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import mimetypes
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import RunInvalid, UsageError
from bench.load.engine.body_checks import as_utf8, check_json, is_json
from bench.load.engine.payload import DEFAULT_BODY, JSON, Payload

LINES = (".jsonl", ".ndjson")
KEPT_BYTES = 64 << 20
"""Bodies of up to this much are kept in memory."""

_CHUNK = 16 << 20
_UNKNOWN = "application/octet-stream"
_TYPES = mimetypes.MimeTypes(filenames=())
"""The table that comes with Python, and not the machine's own: one file has one type everywhere."""


class Bodies(Sequence[Payload]):
    """Framed bodies that are kept."""

    def __init__(self, payloads: Sequence[Payload]) -> None:
        self._payloads = payloads

    def __len__(self) -> int:
        return len(self._payloads)

    def __getitem__(self, index: int) -> Payload:  # type: ignore[override] # no slices
        return self._payloads[index]


class Lines:
    """The lines of a file that is not kept: `read(index)` gives the bytes of one, without white space around it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = open_regular(path, option=path)
        self.sha256 = ""
        with _readable(path):
            self._starts, self._ends, self.numbers = self._index()

    def __len__(self) -> int:
        return len(self._starts)

    def read(self, index: int) -> bytes:
        """Raises RunInvalid when the file is not as it was."""
        start, end = int(self._starts[index]), int(self._ends[index])
        try:
            raw = os.pread(self._fd, end - start, start)
        except OSError as exc:
            raise RunInvalid(f"{self._path}: {exc.strerror or exc}", hint="give a file that can be read") from exc
        if len(raw) != end - start:
            raise RunInvalid(f"{self._path} was cut short while the run went on", hint="leave it alone meanwhile")
        return raw.strip()

    def close(self) -> None:
        os.close(self._fd)

    def _index(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start and end of each line that is not blank, and its number as an editor counts; the file's hash too."""
        digest = hashlib.sha256()
        breaks, place, first = [], 0, b""
        while chunk := os.pread(self._fd, _CHUNK, place):
            first = first or chunk[:4]
            digest.update(chunk)
            breaks.append(np.flatnonzero(np.frombuffer(chunk, np.uint8) == 10) + place)
            place += len(chunk)
        self.sha256 = digest.hexdigest()
        skipped = len(first) - len(as_utf8(first, where=self._path))
        ends = np.concatenate([*breaks, np.array([place], np.int64)])
        starts = np.concatenate([np.array([skipped], np.int64), ends[:-1] + 1])
        starts = np.minimum(starts, ends)
        short = np.flatnonzero(ends - starts <= _BLANK_BYTES)
        blank = [i for i in short if not os.pread(self._fd, int(ends[i] - starts[i]), int(starts[i])).strip()]
        keep = np.ones(len(ends), bool)
        keep[blank] = False
        return starts[keep], ends[keep], np.flatnonzero(keep) + 1


_BLANK_BYTES = 32
"""A line of nothing but blanks that is longer than this is no body, and no blank line either."""


class OnDisk(Sequence[Payload]):
    """Bodies that are read, and framed, when they are wanted."""

    def __init__(self, size: int, read: Callable[[int], Payload]) -> None:
        self._size = size
        self._read = read

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> Payload:  # type: ignore[override] # no slices
        return self._read(index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How every body of a run is framed: `content_type` is empty where each has its own."""

    content_type: str = ""
    bodiless: bool = False

    def frame(self, body: bytes, *, content_type: str = JSON) -> Payload:
        return Payload.of(body, content_type=self.content_type or content_type)


def load_bodies(path: str, *, framing: Framing, check: bool = True) -> tuple[Sequence[Payload], str]:
    """The framed bodies of `path`, in their order, and the SHA-256 of the file (of names and files, for a folder).

    An empty `path` gives a small default body. UsageError names the file, and the line, that cannot be sent. What was
    checked before need not be checked again.
    """
    if not path:
        body = b"" if framing.bodiless else DEFAULT_BODY
        return Bodies((framing.frame(body),)), hashlib.sha256(body).hexdigest()
    try:
        is_folder = Path(path).is_dir()
    except ValueError:  # a NUL, which no file's name can hold
        is_folder = False
    if is_folder:
        return _folder(Path(path), framing, check)
    if path.lower().endswith(LINES):
        return _lines(path, framing, check)
    raw = read_regular(path, option="--payload")
    body, content_type = _as_sent(raw, path, framing, check)
    return Bodies((framing.frame(body, content_type=content_type),)), hashlib.sha256(raw).hexdigest()


def read_regular(path: str, *, option: str) -> bytes:
    """The bytes of a file. UsageError for what is none, or cannot be read."""
    fd = open_regular(path, option=option)
    with os.fdopen(fd, "rb") as file, _readable(_place(path, option)):
        return file.read()


def _place(path: str, option: str) -> str:
    return f"{option} {path}" if option != path else path


@contextlib.contextmanager
def _readable(where: str) -> Iterator[None]:
    """UsageError where a file cannot be opened or read: no such name, a damaged disk, a network share that has gone."""
    try:
        yield
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise UsageError(f"{where}: {reason or exc}", hint="give a file that can be read") from exc


def open_regular(path: str, *, option: str) -> int:
    """A descriptor of a regular file: a FIFO would be waited for, for ever."""
    where = _place(path, option)
    with _readable(where):
        kind = Path(path).stat().st_mode
        if not stat.S_ISREG(kind):
            raise UsageError(f"{where} is not a regular file", hint="give a file, or a folder of files")
        return os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))


def _lines(path: str, framing: Framing, check: bool) -> tuple[Sequence[Payload], str]:
    lines = Lines(path)
    if not len(lines):
        raise UsageError(f"--payload {path} is empty", hint="give at least one line of JSON")
    if check:
        hint = "each line must be one JSON document"
        odd = [
            int(number)
            for index, number in enumerate(lines.numbers)
            if check_json(lines.read(index), where=f"--payload {path}, line {number}", hint=hint)
        ]
        if odd:
            _note_nan(f"{path}, line {odd[0]}" + (f" and {len(odd) - 1} more" if len(odd) > 1 else ""))
    return kept_or_not(len(lines), lambda index: framing.frame(lines.read(index)), path), lines.sha256


def kept_or_not(size: int, read: Callable[[int], Payload], path: str) -> Sequence[Payload]:
    """All of them now, or each when it is wanted, as the file's size decides."""
    if Path(path).stat().st_size <= KEPT_BYTES:
        return Bodies(tuple(read(index) for index in range(size)))
    return OnDisk(size, read)


def _folder(folder: Path, framing: Framing, check: bool) -> tuple[Sequence[Payload], str]:
    files = sorted(_files(folder))
    if not files:
        raise UsageError(f"--payload {folder} holds no file", hint="give a folder with one body a file")
    digest, total = hashlib.sha256(), 0
    for file in files:
        if file.suffix.lower() in LINES:
            raise UsageError(f"--payload {folder} holds {file.name}, which is many bodies", hint="give it by itself")
        raw = read_regular(str(file), option="--payload")
        digest.update(f"{file.name}\0{len(raw)}\0".encode("utf-8", "surrogateescape"))
        digest.update(raw)
        total += len(raw)
        _as_sent(raw, str(file), framing, check)

    def read(index: int) -> Payload:
        path = str(files[index])
        body, content_type = _as_sent(read_regular(path, option="--payload"), path, framing, False)
        return framing.frame(body, content_type=content_type)

    bodies = Bodies(tuple(read(i) for i in range(len(files)))) if total <= KEPT_BYTES else OnDisk(len(files), read)
    return bodies, digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from (path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())
    except OSError as exc:
        raise UsageError(f"--payload {folder}: {exc.strerror}", hint="give a folder that can be read") from exc


def _as_sent(raw: bytes, path: str, framing: Framing, check: bool) -> tuple[bytes, str]:
    """A whole file as a body, and its content type: JSON is checked and loses a byte order mark, the rest stays."""
    content_type = framing.content_type or type_of(path, raw)
    if not is_json(content_type):
        return raw, content_type
    where = f"--payload {path}"
    body = as_utf8(raw, where=where).strip()
    if check and check_json(
        body, where=where, hint="give one JSON document, name the file .jsonl for one a line, or say --content-type"
    ):
        _note_nan(path)
    return body, content_type


def type_of(path: str, raw: bytes) -> str:
    """The content type of a file's name; where that says nothing, JSON if it begins like it."""
    known = _TYPES.guess_type(Path(path).name, strict=False)[0]
    return known or (JSON if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["} else _UNKNOWN)


def _note_nan(where: str) -> None:
    sys.stderr.write(f"note: {where} holds NaN or Infinity, which is not JSON: some servers refuse it\n")
