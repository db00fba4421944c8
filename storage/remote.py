"""Files on any fsspec path (a folder, S3-compatible storage, …): sent and fetched whole, and never half there under their name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fsspec

from storage.errors import ArchiveError


def send_files(files: Iterable[Path], url: str) -> list[str]:
    """Names of the files that were sent; those that lie there already with the same length are left. Archive files never change once closed."""
    system, root = _open(url)
    sent = []
    for path in files:
        target = f"{root}/{path.name}"
        if system.exists(target) and system.size(target) == path.stat().st_size:
            continue
        system.makedirs(root, exist_ok=True)
        system.put_file(str(path), f"{target}.part")
        system.mv(f"{target}.part", target)
        sent.append(path.name)
    return sent


def fetch_files(url: str, names: Iterable[str], folder: Path) -> list[str]:
    """Names of the files that were fetched into the folder; those that lie there already are left.

    Raises:
        ArchiveError: a file is not there.
    """
    system, root = _open(url)
    folder.mkdir(parents=True, exist_ok=True)
    fetched = []
    for name in names:
        if (folder / name).exists():
            continue
        part = folder / f".{name}.part"
        try:
            system.get_file(f"{root}/{name}", str(part))
        except FileNotFoundError:
            raise ArchiveError(f"no file {name} at {url}; was it sent there after the crawl?") from None
        part.replace(folder / name)
        fetched.append(name)
    return fetched


def remove_files(url: str, names: Iterable[str]) -> None:
    """Removes the files that are there."""
    system, root = _open(url)
    for name in names:
        if system.exists(f"{root}/{name}"):
            system.rm_file(f"{root}/{name}")


def _open(url: str) -> tuple[Any, str]:
    system, root = fsspec.core.url_to_fs(url)
    return system, str(root).rstrip("/")
