"""The hub as a server."""

from __future__ import annotations

from typing import Any

from hub.setup import HubSettings, hub_settings

MOST_BYTES_ASKED = 500_000  # of a request; forms are small, and nothing is uploaded


def application() -> Any:
    """The hub as a WSGI application, once it is set up."""
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def serve(address: str, port: int, n_threads: int = 8) -> None:
    """Serves until stopped; TLS is the proxy's."""
    import waitress

    proxy: dict[str, Any] = {}
    if hub_settings().public_host:
        proxy = {"trusted_proxy": "127.0.0.1", "trusted_proxy_headers": "x-forwarded-for x-forwarded-proto"}
    waitress.serve(
        application(), host=address, port=port, threads=n_threads, ident=None, max_request_body_size=MOST_BYTES_ASKED,
        clear_untrusted_proxy_headers=True, **proxy,
    )  # fmt: skip


__all__ = ["HubSettings", "application", "serve"]
