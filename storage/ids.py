"""Keys: hashes of natural keys, so that writing the same fact twice is writing it once."""

from __future__ import annotations

import hashlib


def content_key(*parts: object) -> str:
    """A 16-digit hexadecimal key of the parts, the same on every machine and run.

    >>> content_key("account", "example.com")
    'b174fff9f85a0ed5'
    """
    text = "\x1f".join("" if part is None else str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def content_hash(body: bytes) -> str:
    """The SHA-256 of a response body in hexadecimal."""
    return hashlib.sha256(body).hexdigest()
