"""The sandbox: hostile bytes are parsed in worker processes that may be killed without loss.

A task is the dotted name of a function ``(body: bytes, **options) -> JSON value``. Only JSON comes back, so that
a worker taken over by its input has no way to hand an object to its parent.
"""

from sandbox.pool import Sandbox, TaskFailure

__all__ = ["Sandbox", "TaskFailure"]
