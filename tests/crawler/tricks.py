"""Ways to spell an address that a crawl must not reach: what the SSRF suite tries through every door."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

# Loopback (a trap listens on 127.0.0.2 and ::1), private networks, and where clouds keep their secrets.
INTERNAL = (
    "127.0.0.2",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "0.0.0.0",
)
INTERNAL_V6 = (
    "::1",
    "::",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "100::1",
    "2001:10::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
)
_CIRCLED = {str(n): "⓪①②③④⑤⑥⑦⑧⑨"[n] for n in range(10)}
_FULL = {str(n): chr(0xFF10 + n) for n in range(10)}


def spellings(address: str) -> Iterator[str]:
    """Hosts that lead to an IPv4 address for one reader or another."""
    number = int(ipaddress.IPv4Address(address))
    a, b, c, d = (int(part) for part in address.split("."))
    high, low = number >> 16, number & 0xFFFF
    yield address
    yield f"{address}."
    yield str(number)
    yield hex(number)
    yield f"0{number:o}"
    yield ".".join(hex(part) for part in (a, b, c, d))
    yield ".".join(f"0{part:o}" for part in (a, b, c, d))
    yield ".".join(f"{part:04o}" for part in (a, b, c, d))
    yield f"{a}.{number & 0xFFFFFF}"
    yield f"{a}.{b}.{(c << 8) | d}"
    yield f"{hex(a)}.0{b:o}.{c}.{hex(d)}"
    yield address.translate(str.maketrans(_CIRCLED))
    yield address.translate(str.maketrans(_FULL))
    yield address.replace(".", "。")
    yield address.replace(".", "%2e")
    yield "".join(f"%{ord(character):02x}" for character in address)
    yield f"[::ffff:{address}]"
    yield f"[::ffff:{high:x}:{low:x}]"
    yield f"[::ffff:0:{high:x}:{low:x}]"
    yield f"[::{address}]"
    yield f"[64:ff9b::{address}]"
    yield f"[64:ff9b:1::{high:x}:{low:x}]"
    yield f"[2002:{high:x}:{low:x}::1]"
    yield f"[2001:0:0:0:0:0:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]"


def urls() -> list[str]:
    """Every trick as a URL."""
    found = [f"http://{host}/secret" for address in INTERNAL for host in spellings(address)]
    found += [f"https://{host}/secret" for host in spellings("127.0.0.2")]
    found += [f"http://[{address}]/secret" for address in INTERNAL_V6]
    found += ["http://[::1%25lo]/secret", "http://[0:0:0:0:0:0:0:1]/secret"]
    found += [f"http://{name}/secret" for name in ("localhost", "LOCALHOST", "localhost.", "ip6-localhost", "a.localhost")]
    found += [
        "http://site.test@127.0.0.2/secret",
        "http://site.test:80@127.0.0.2/secret",
        "http://127.0.0.2#@site.test/secret",
        "http://127.0.0.2\\@site.test/secret",
        "http://site.test\\@127.0.0.2/secret",
        "http://127.0.0.\t2/secret",
        "http:127.0.0.2/secret",
        "http:///127.0.0.2/secret",
        "http:\\\\127.0.0.2/secret",
        "//127.0.0.2/secret",
        "http://127.0.0.2:22/secret",
        "http://site.test:6379/secret",
        "http://127.0.0.2:99999/secret",
        "http://127.0.0.2:0/secret",
        "file:///etc/passwd",
        "file://127.0.0.2/etc/passwd",
        "FILE:/etc/passwd",
        "ftp://127.0.0.2/secret",
        "s3://bucket/secret",
        "data:text/html,secret",
        "gopher://127.0.0.2:6379/_INFO",
        "dict://127.0.0.2:11211/stat",
        "ldap://127.0.0.2/secret",
        "jar:http://127.0.0.2!/secret",
        "javascript:fetch('http://127.0.0.2/secret')",
        "view-source:http://127.0.0.2/secret",
        "http://0/secret",
        "http://1.0.0.127.in-addr.arpa/secret",
    ]
    return found
