"""``bellwether`` and ``python -m bellwether``: the entry point. Expected failures end in one line and exit status 1."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Runs the command line."""
    from bellwether.cli import app
    from storage.errors import BellwetherError

    try:
        app()
    except BellwetherError as error:
        print(f"bellwether: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # The reader of our output (head, a pager) has gone; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
