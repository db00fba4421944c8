"""People and their rights, as the operator sets them from the command line."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError

from hub import audit
from hub.models import ROLES, UserRight
from storage.errors import InputError
from storage.store import Row


def add_person(username: str, password: str) -> None:
    """Adds someone, or gives them a new password and ends their sessions.

    Raises:
        InputError: the password is too weak; the message says how.
    """
    user = User.objects.filter(username=username).first() or User(username=username)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InputError(f"the password of {username} was refused: {' '.join(error.messages)}") from error
    user.set_password(password)
    user.is_active = True
    user.save()
    audit.record(None, username, "person added or password changed", "by the operator")


def grant(username: str, role: str, partner: str, country: str) -> None:
    """Gives a role for a partner (all partners when empty), for a country (every country when empty).

    Raises:
        InputError: nobody of that name, or no such role.
    """
    if role not in ROLES:
        raise InputError(f"{role!r} is no role; roles are: {', '.join(ROLES)}")
    UserRight.objects.update_or_create(user=_person(username), partner_global_id=partner, country=country.upper(), defaults={"role": role})
    audit.record(None, username, "right granted", f"{role} of {partner or 'all partners'} {country}".strip())


def revoke(username: str, partner: str | None) -> int:
    """Takes away the rights for a partner, or all when None; holds from the next request on. Returns how many there were."""
    rights = UserRight.objects.filter(user=_person(username))
    if partner is not None:
        rights = rights.filter(partner_global_id=partner)
    n, _ = rights.delete()
    audit.record(None, username, "right revoked", f"{n} rights of {'everything' if partner is None else partner or 'all partners'}")
    return n


def block(username: str) -> None:
    """Keeps someone out from the next request on."""
    user = _person(username)
    user.is_active = False
    user.save()
    for session in Session.objects.all():
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()
    audit.record(None, username, "person blocked", "by the operator")


def list_people() -> list[Row]:
    """Everyone, with their rights in words."""
    return [
        {
            "name": user.username,
            "state": "active" if user.is_active else "blocked",
            "rights": "; ".join(
                f"{right.role} of {right.partner_global_id or 'all partners'}{', ' + right.country if right.country else ''}"
                for right in UserRight.objects.filter(user=user).order_by("id")
            ),
        }
        for user in User.objects.order_by("username")
    ]


def _person(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise InputError(f"nobody is called {username!r} in the hub; add them with `bellwether hub-user add {username}`")
    return user
