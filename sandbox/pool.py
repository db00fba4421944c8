"""The parent's side of the sandbox: workers with limits on memory and time, one task at a time each."""

from __future__ import annotations

import json
import math
import os
import queue
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

HEADER = struct.Struct(">II")
MAX_RESULT_BYTES = 64 * 1024 * 1024
PATIENCE = 4  # times the allowed seconds that a task may take by the clock, where others keep the processor from it
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """Why a task gave no result: ``timeout``, ``memory``, ``crash`` or ``error``, with what is known of it."""

    reason: str
    detail: str


class Sandbox:
    """A pool of worker processes; ``run`` may be called from several threads at once.

    A worker is prepared for the module of its first task (its ``prepare_worker``, if it has one); tasks of a module that needs preparing want
    a Sandbox of their own.

    Args:
        jobs: how many workers run side by side.
        memory_mb: address space of a worker beyond what its interpreter maps at start.
        timeout_s: seconds of processor time a task may take before its worker is killed; on a busy machine up to four times as long by the clock.
    """

    def __init__(self, jobs: int = 1, memory_mb: int = 1024, timeout_s: float = 20.0) -> None:
        self.jobs = jobs
        self.memory_mb = memory_mb
        self.timeout_s = timeout_s
        self._idle: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _ in range(jobs):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="sandbox")

    def run(self, task: str, body: bytes = b"", /, **options: Any) -> Any | TaskFailure:
        """The task's JSON result, or a TaskFailure; never raises for what the input did."""
        worker = self._idle.get() or _Worker(self.memory_mb)
        survivor: _Worker | None = None
        try:
            result = worker.call(task, body, options, self.timeout_s)
            if isinstance(result, TaskFailure) and result.reason != "error":
                worker.kill()
            else:
                survivor = worker
            return result
        except BaseException:
            worker.kill()
            raise
        finally:
            self._idle.put(survivor)

    def submit(self, task: str, body: bytes = b"", /, **options: Any) -> Future[Any]:
        """The same in the background."""
        return self._threads.submit(self.run, task, body, **options)

    def map(self, task: str, inputs: Iterable[tuple[bytes, dict[str, Any]]]) -> Iterator[Any]:
        """Results in the order of the inputs, with at most twice ``jobs`` tasks ahead of the reader."""
        ahead: list[Future[Any]] = []
        for body, options in inputs:
            ahead.append(self.submit(task, body, **options))
            if len(ahead) >= 2 * self.jobs:
                yield ahead.pop(0).result()
        for future in ahead:
            yield future.result()

    def close(self) -> None:
        """Ends all workers."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            worker = self._idle.get()
            if worker is not None:
                worker.kill()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Worker:
    def __init__(self, memory_mb: int) -> None:
        # No credentials, proxies or start-up hooks of the operator's shell reach a worker.
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment["OMP_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = "1"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.worker", str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    def call(self, task: str, body: bytes, options: dict[str, Any], timeout_s: float) -> Any | TaskFailure:
        assert self.process.stdin is not None
        limit = _Limit(self.process.pid, timeout_s)
        head = json.dumps({"task": task, "options": options}).encode()
        try:
            self.process.stdin.write(HEADER.pack(len(head), len(body)) + head + body)
            self.process.stdin.flush()
            n_bytes, _ = HEADER.unpack(self._read(HEADER.size, limit))
            if n_bytes > MAX_RESULT_BYTES:
                return TaskFailure("memory", f"{task} returned {n_bytes} bytes, more than {MAX_RESULT_BYTES}")
            answer = json.loads(self._read(n_bytes, limit))
        except TimeoutError:
            return TaskFailure("timeout", f"{task} took longer than {timeout_s:g} s")
        except (BrokenPipeError, EOFError, ValueError):
            return TaskFailure("crash", f"{task} ended its worker (exit status {self.process.poll()})")
        if "failed" in answer:
            return TaskFailure(answer["failed"], str(answer["detail"])[:500])
        return answer["result"]

    def _read(self, n_bytes: int, limit: _Limit) -> bytes:
        assert self.process.stdout is not None
        file = self.process.stdout.fileno()
        chunks: list[bytes] = []
        while n_bytes:
            ready, _, _ = select.select([file], [], [], limit.wait_s())
            if not ready and limit.is_over():
                raise TimeoutError
            if not ready:
                continue
            chunk = os.read(file, min(n_bytes, 1 << 20))
            if not chunk:
                raise EOFError
            chunks.append(chunk)
            n_bytes -= len(chunk)
        return b"".join(chunks)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # what was still to be written has lost its reader
                    continue


class _Limit:
    """The time of one task: what counts is the processor's, so that a machine that is busy otherwise turns no good page away."""

    def __init__(self, pid: int, timeout_s: float) -> None:
        self._pid = pid
        self._timeout_s = timeout_s
        self._began, self._used_before = time.monotonic(), _cpu_s(pid)

    def wait_s(self) -> float:
        """How long to wait until looking again."""
        left = self._timeout_s - (time.monotonic() - self._began)
        return left if left > 0 else self._timeout_s / 10

    def is_over(self) -> bool:
        """Whether the task had its time."""
        used = _cpu_s(self._pid) - self._used_before
        return used >= 0.9 * self._timeout_s or time.monotonic() - self._began >= PATIENCE * self._timeout_s


def _cpu_s(pid: int) -> float:
    """Seconds of processor time that a process used; infinite where the system does not tell or the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return math.inf
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
