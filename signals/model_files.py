"""A shipped model is a file of arrays beside a manifest that names its hash: nothing is loaded that the manifest does not vouch for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from storage.errors import ModelError


def read_manifest(folder: Path, file_name: str, missing: str) -> dict[str, Any]:
    """The manifest of a model folder.

    Args:
        file_name: of the arrays.
        missing: what to say when there is no model in the folder.

    Raises:
        ModelError: a file is missing, or the arrays are not those of the manifest.
    """
    path, file = folder / "manifest.json", folder / file_name
    if not path.exists() or not file.exists():
        raise ModelError(missing)
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != manifest["sha256"]:
        raise ModelError(
            f"{file} is not the file of its manifest (SHA-256 {found[:12]}, expected {manifest['sha256'][:12]}); run `make train`"
        )
    return manifest
