"""On the path of a crawl under test: writes every address that the process or a child of it connects or sends to into a file."""

import os
import sys

_log = os.open(os.environ["CONNECT_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if "CONNECT_LOG" in os.environ else -1


def _note(event, arguments):
    if _log >= 0 and event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        os.write(_log, f"{arguments[1][0]} {arguments[1][1]}\n".encode())


sys.addaudithook(_note)
