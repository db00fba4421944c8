"""The worker's side of the sandbox: reads tasks from stdin, writes JSON to stdout, may do little else."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO

from sandbox.pool import HEADER

# Raised before the action happens; an audit hook cannot be removed again.
FORBIDDEN_EVENTS = (
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "socket.sendto",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "ctypes.dlopen",
)


def main(memory_mb: int) -> None:
    """Serves tasks until stdin closes."""
    requests = sys.stdin.buffer
    # Whatever a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _limit_memory(memory_mb)
    guarded = False
    while header := requests.read(HEADER.size):
        n_head, n_body = HEADER.unpack(header)
        request = json.loads(requests.read(n_head))
        body = requests.read(n_body)
        try:
            function = _task(request["task"])
            if not guarded:  # after the first import, so that native libraries and models could be loaded
                getattr(sys.modules[function.__module__], "prepare_worker", _nothing)()
                sys.addaudithook(_forbid)
                guarded = True
            answer = {"result": function(body, **request["options"])}
        except MemoryError:
            answer = {"failed": "memory", "detail": f"{request['task']} needed more than {memory_mb} MiB"}
        except RecursionError:
            answer = {"failed": "error", "detail": "nested too deeply"}
        except Exception as error:  # the boundary: whatever the input provoked becomes a recorded failure
            answer = {"failed": "error", "detail": f"{type(error).__name__}: {error}"}
        _write(answers, answer)


def _task(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _nothing() -> None:
    """A task's module needs no preparation."""


def _limit_memory(memory_mb: int) -> None:
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = mapped + memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _forbid(event: str, arguments: tuple[Any, ...]) -> None:
    if event in FORBIDDEN_EVENTS:
        raise PermissionError(f"{event} is not allowed in the sandbox")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        raise PermissionError(f"writing {arguments[0]} is not allowed in the sandbox")


def _write(answers: BinaryIO, answer: dict[str, Any]) -> None:
    encoded = json.dumps(answer).encode()
    answers.write(HEADER.pack(len(encoded), 0) + encoded)
    answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
