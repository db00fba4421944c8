"""The archive: every fetched response as a WARC record, readable by anyone's tools (ISO 28500)."""

from __future__ import annotations

import hashlib
import os
import zlib
from base64 import b32encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from storage.errors import ArchiveError
from storage.ids import content_hash

GZIP_LEVEL = 3  # quicker than the default of 9, for pages that become a little larger
GZIP_WINDOW = 31  # zlib's word for the gzip format
MAX_BODY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ArchivedResponse:
    """A response read back from the archive; ``body`` has its content encoding undone."""

    url: str
    http_status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    archived_at: str

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Seen:
    """An archived response that was seen again: its URL, when it was archived, and the digest of the payload if one came."""

    url: str
    archived_at: str
    payload_digest: str | None = None


def payload_digest(payload: bytes) -> str:
    """A payload's digest as WARC records carry it.

    >>> payload_digest(b"")
    'sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ'
    """
    return f"sha1:{b32encode(hashlib.sha1(payload, usedforsecurity=False).digest()).decode()}"


class ArchiveWriter:
    """Appends responses to one new WARC file; a record is safe on disk once ``sync`` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("xb")
        self._record = BytesIO()
        self._writer = WARCWriter(self._record, gzip=False)

    def write(self, url: str, http_status: int, headers: Sequence[tuple[str, str]], body: bytes, archived_at: str) -> int:
        """The offset of the record that now holds the response as it came over the wire."""
        offset = self._file.tell()
        head = StatusAndHeaders(f"{http_status} ", list(headers), protocol="HTTP/1.1")
        head.compute_headers_buffer()
        # The digests that warcio would compute piece by piece, which is a tenth of what archiving costs.
        digests = {"WARC-Payload-Digest": payload_digest(body), "WARC-Block-Digest": payload_digest(head.headers_buff + body)}
        record = self._writer.create_warc_record(
            url,
            "response",
            payload=BytesIO(body),
            length=len(body),
            http_headers=head,
            warc_headers_dict={"WARC-Date": archived_at} | digests,
        )
        self._append(record)
        return offset

    def write_note(self, url: str, text: str, content_type: str, archived_at: str) -> int:
        """The offset of a record (WARC type ``resource``) that holds a text of our own about what we saw, not what a server sent."""
        offset, body = self._file.tell(), text.encode()
        record = self._writer.create_warc_record(
            url,
            "resource",
            payload=BytesIO(body),
            length=len(body),
            warc_content_type=content_type,
            warc_headers_dict={"WARC-Date": archived_at},
        )
        self._append(record)
        return offset

    def write_revisit(self, url: str, http_status: int, headers: Sequence[tuple[str, str]], seen: Seen, archived_at: str) -> int:
        """The offset of a record (WARC type ``revisit``) that says that the server gave what an earlier record holds.

        Source: ISO 28500:2017, 6.7.
        """
        offset = self._file.tell()
        profile = "server-not-modified" if http_status == 304 else "identical-payload-digest"
        said = {
            "WARC-Date": archived_at,
            "WARC-Profile": f"http://netpreserve.org/warc/1.0/revisit/{profile}",
            "WARC-Refers-To-Target-URI": seen.url,
            "WARC-Refers-To-Date": seen.archived_at,
            **({"WARC-Payload-Digest": seen.payload_digest} if seen.payload_digest else {}),
        }
        head = StatusAndHeaders(f"{http_status} ", list(headers), protocol="HTTP/1.1")
        self._append(self._writer.create_warc_record(url, "revisit", http_headers=head, warc_headers_dict=said))
        return offset

    def _append(self, record: ArcWarcRecord) -> None:
        """Each record is a gzip member of its own, so that it can be read from its offset."""
        self._record.seek(0)
        self._record.truncate()
        self._writer.write_record(record)
        self._file.write(zlib.compress(self._record.getbuffer(), GZIP_LEVEL, GZIP_WINDOW))

    @property
    def n_bytes(self) -> int:
        """How long the file is by now."""
        return self._file.tell()

    def sync(self) -> None:
        """Returns when everything written so far would survive a power cut."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Syncs and closes; a file without a single record is removed."""
        self.sync()
        empty = self._file.tell() == 0
        self._file.close()
        if empty:
            self.path.unlink()


def read_response(path: Path, offset: int) -> ArchivedResponse:
    """The response whose record starts at the offset. Parses foreign bytes: call it inside the sandbox.

    Raises:
        ArchiveError: no file, or no response record there.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            for record in ArchiveIterator(file):
                return _response(record)
    except (OSError, ArchiveLoadFailed, ValueError, EOFError) as error:
        raise ArchiveError(f"cannot read the record at {path}:{offset}: {error}") from error
    raise ArchiveError(f"no record at {path}:{offset}; was the archive moved or truncated?")


def iter_responses(path: Path, start: int = 0, with_notes: bool = False) -> Iterator[tuple[int, ArchivedResponse | ArchiveError]]:
    """Every HTTP response (in WET files: every text) with its offset; if asked, our own notes and the marks of unchanged pages as well.

    A damaged rest ends with one ArchiveError.
    """
    with path.open("rb") as file:
        file.seek(start)
        records = ArchiveIterator(file)
        while True:
            try:
                record = next(records)
                is_text = record.rec_type == "conversion" or (with_notes and record.rec_type in ("resource", "revisit"))
                if not is_text and (record.rec_type != "response" or record.http_headers is None):
                    continue
                response = _response(record)
                start = records.get_record_offset()  # after the response: asking for the offset reads the record away
                yield start, response
            except StopIteration:
                torn = _torn_member(path, start)
                if torn is not None:
                    yield torn, ArchiveError(f"{path} ends in the middle of the record at its byte {torn}; was it copied whole?")
                return
            except (OSError, ArchiveLoadFailed, ValueError, EOFError, AttributeError) as error:
                yield file.tell(), ArchiveError(f"{path} cannot be read past its byte {file.tell()}: {error}")
                return


def _torn_member(path: Path, start: int) -> int | None:
    """Where the last gzip member begins if the file ends in the middle of it; warcio takes such an end for the end of the file."""
    with path.open("rb") as file:
        file.seek(start)
        rest = file.read(1 << 16)
        if rest[:2] != b"\x1f\x8b":
            return None
        while rest:
            unpacker = zlib.decompressobj(GZIP_WINDOW)
            while not unpacker.eof:
                try:
                    unpacker.decompress(rest, 1 << 16)
                except zlib.error:
                    return start
                rest = unpacker.unconsumed_tail or (b"" if unpacker.eof else file.read(1 << 16))
                if not rest and not unpacker.eof:
                    return start
            rest = unpacker.unused_data or file.read(1 << 16)
            start = file.tell() - len(rest)
    return None


def list_responses(body: bytes, path: str, start: int = 0, limit: int = 200, with_notes: bool = False) -> dict[str, Any]:
    """Sandbox task: what the next responses of a WARC file are, without their bodies.

    Returns:
        ``{"responses": [...], "next": offset or None, "error": text or None}``.
    """
    found: list[dict[str, Any]] = []
    for offset, response in iter_responses(Path(path), start, with_notes):
        if isinstance(response, ArchiveError):
            return {"responses": found, "next": None, "error": str(response)}
        if len(found) == limit:
            return {"responses": found, "next": offset, "error": None}
        found.append(
            {
                "offset": offset,
                "url": response.url,
                "http_status": response.http_status,
                "content_type": response.header("Content-Type"),
                "content_hash": content_hash(response.body),
                "archived_at": response.archived_at,
                "n_bytes": len(response.body),
            }
        )
    return {"responses": found, "next": None, "error": None}


def _response(record: Any) -> ArchivedResponse:
    if record.rec_type in ("resource", "conversion", "revisit"):
        head = record.rec_headers
        url, at, content_type = (head.get_header(name) or "" for name in ("WARC-Target-URI", "WARC-Date", "Content-Type"))
        return ArchivedResponse(url, 200, (("Content-Type", content_type),), record.content_stream().read(MAX_BODY_BYTES), _seconds(at))
    if record.rec_type != "response" or record.http_headers is None:
        raise ArchiveError(f"the record is a {record.rec_type}, not an HTTP response")
    body = record.content_stream().read(MAX_BODY_BYTES + 1)
    status = record.http_headers.get_statuscode()
    return ArchivedResponse(
        url=record.rec_headers.get_header("WARC-Target-URI") or "",
        http_status=int(status) if status and status.isdigit() else 0,
        headers=tuple((str(name), str(value)) for name, value in record.http_headers.headers),
        body=body[:MAX_BODY_BYTES],
        archived_at=_seconds(record.rec_headers.get_header("WARC-Date") or ""),
    )


def _seconds(warc_date: str) -> str:
    # WARC 1.1 allows fractions of a second; our times have none, so that they sort as text.
    return warc_date[:19] + "Z" if len(warc_date) >= 19 else warc_date
