"""``bellwether`` and ``python -m bellwether``: the entry point. Expected failures end in one line and exit status 1."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from typing import NoReturn


def main() -> None:
    """Runs the command line."""
    from bellwether.cli import app
    from storage.errors import BellwetherError

    try:
        app()
    except BellwetherError as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader of our output (head, a pager) has gone; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (OSError, sqlite3.Error) as error:
        from storage.errors import what_broke

        said = what_broke(error)
        if said is None:
            raise
        _fail(said)


def _fail(message: str) -> NoReturn:
    """One line on standard error, and exit status 1."""
    log = logging.getLogger("bellwether")
    if log.isEnabledFor(logging.INFO):  # lines are JSON: see --log-json
        log.error(message)
    else:
        print(f"bellwether: {message}", file=sys.stderr)
    raise SystemExit(1) from None


if __name__ == "__main__":
    main()
