"""Mends the WARC file of a crawl that was killed: cuts off the record it was writing, so that every tool can read the file to its end."""

from __future__ import annotations

import zlib
from pathlib import Path

from storage.store import Store

MARK = ".open"  # an empty file beside a WARC file that is being written
_CHUNK = 1 << 16


def mark_open(archive: Path) -> None:
    """Notes that a file is being written."""
    archive.with_name(archive.name + MARK).touch()


def mark_closed(archive: Path) -> None:
    """Notes that a file ended as it should."""
    archive.with_name(archive.name + MARK).unlink(missing_ok=True)


def mend_torn(folder: Path, store: Store, prefix: str) -> list[str]:
    """Names of the files that were cut back to the last record that rows point to; one without any such record is removed.

    Args:
        prefix: begins the names of the files to look at; another process may be writing the rest.
    """
    mended = []
    for mark in sorted(folder.glob(f"{prefix}*{MARK}")):
        archive = mark.with_suffix("")
        last = store.value("SELECT max(warc_offset) FROM pages WHERE warc_file = ?", (archive.name,))
        if archive.exists() and last is None:
            archive.unlink()
        elif archive.exists():
            with archive.open("r+b") as file:
                file.truncate(end_of_record(archive, last))
        mended.append(archive.name)
        mark.unlink()
    return mended


def end_of_record(archive: Path, offset: int) -> int:
    """The offset after the gzipped record that begins at an offset."""
    unpacker = zlib.decompressobj(31)
    with archive.open("rb") as file:
        file.seek(offset)
        while not unpacker.eof:
            chunk = unpacker.unconsumed_tail or file.read(_CHUNK)
            if not chunk:
                return offset  # the record itself is torn
            unpacker.decompress(chunk, _CHUNK)
        return file.tell() - len(unpacker.unused_data)
