"""Shared by all tests: no network beyond this machine, and the folder of real corpora where there is one."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def _refuse_foreign_addresses(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise PermissionError(f"a test tried to connect to {address[0]}; tests reach loopback only")


sys.addaudithook(_refuse_foreign_addresses)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real corpora; tests that need it are skipped where it is absent."""
    folder = os.environ.get("BELLWETHER_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("BELLWETHER_DATA names no folder of real corpora")
    return Path(folder)
