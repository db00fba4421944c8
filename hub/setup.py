"""Django, set up from one frozen record; nothing is read from the environment."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.catalogue import Catalogue
from storage.store import Store


@dataclass(frozen=True)
class HubSettings:
    """Where the hub finds things and how it is reached."""

    store: Path  # the signal store, opened read-only
    database: Path  # the hub's own: users, rights, saved reports, audit
    files: Path  # where written reports lie
    catalogue: Catalogue
    public_host: str | None = None  # the name behind a TLS proxy; None: plain HTTP on loopback only
    requests_per_minute: int = 240
    load_outlook: Callable[[Store, str, str], Mapping[str, Mapping[str, Any]]] = (
        lambda store, run_id, account_id: {}
    )  # what would move an account
    now: Callable[[], str] | None = None  # a clock for tests; the machine's by default


_current: HubSettings | None = None


def hub_settings() -> HubSettings:
    """The settings the hub was set up with."""
    assert _current is not None, "set_up_hub comes first"
    return _current


def set_up_hub(settings: HubSettings) -> None:
    """Configures Django for this process and brings the hub's database up to date; may be called once."""
    global _current
    import django
    from django.conf import settings as django_settings
    from django.core.management import call_command

    _current = settings
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    settings.files.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not django_settings.configured:
        django_settings.configure(**_django_settings(settings))
        django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    settings.database.chmod(0o600)


def _django_settings(settings: HubSettings) -> Mapping[str, Any]:
    is_public = settings.public_host is not None
    return {
        "SECRET_KEY": _secret(settings.database.with_suffix(".secret")),
        "DEBUG": False,
        "ALLOWED_HOSTS": [settings.public_host] if is_public else ["127.0.0.1", "localhost", "[::1]"],
        "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "hub"],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(settings.database),
                "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=DELETE;"},
            }
        },
        "MIDDLEWARE": [
            "hub.protection.protect",
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        "ROOT_URLCONF": "hub.pages",
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [Path(__file__).with_name("templates")],
                "OPTIONS": {"context_processors": ["hub.wording.page_words"], "builtins": ["hub.wording"]},
            }
        ],
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.ScryptPasswordHasher"],
        "AUTH_PASSWORD_VALIDATORS": [
            {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
            {"NAME": "hub.passwords.NearlyCommonPasswordValidator"},
            {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
        ],
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "LOGIN_URL": "/sign-in",
        "USE_TZ": True,
        "TIME_ZONE": "UTC",
        "LANGUAGE_CODE": "en-gb",
        "SESSION_COOKIE_NAME": "__Host-session" if is_public else "bellwether_session",
        "CSRF_COOKIE_NAME": "__Host-csrf" if is_public else "bellwether_csrf",
        "SESSION_COOKIE_AGE": 12 * 3600,
        "SESSION_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "CSRF_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": is_public,
        "CSRF_COOKIE_SECURE": is_public,
        "CSRF_TRUSTED_ORIGINS": [f"https://{settings.public_host}"] if is_public else [],
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https") if is_public else None,
        "SECURE_SSL_REDIRECT": is_public,
        "SECURE_REFERRER_POLICY": "same-origin",
        "X_FRAME_OPTIONS": "DENY",
        "DATA_UPLOAD_MAX_MEMORY_SIZE": 200_000,
        "DATA_UPLOAD_MAX_NUMBER_FIELDS": 500,
        "CSRF_FAILURE_VIEW": "hub.errors.refused",
        "LOGGING_CONFIG": None,
    }


def _secret(path: Path) -> str:
    """The key sessions are signed with, made at the first start; only this user may read it."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text(encoding="utf-8")
