"""Who someone is and what they may see, asked anew at every request, so that a right taken away is gone at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from hub.audit import present, record
from hub.errors import error_page
from hub.models import EXECUTIVE, SignInFailure, UserRight
from hub.setup import hub_settings
from reports.scope import PartnerScope, Right
from storage.clock import utc_text
from storage.errors import StoreError
from storage.store import open_reader

Page = Callable[..., HttpResponse]
MOST_FAILURES_OF_NAME, MOST_FAILURES_OF_NAME_ANYWHERE, MOST_FAILURES_OF_ADDRESS, LOCKED_MINUTES = 5, 20, 30, 15


def rights_of(user: User) -> tuple[Right, ...]:
    """What a person may see."""
    rows = UserRight.objects.filter(user=user).order_by("id")
    return tuple(Right(row.partner_global_id or None, row.country or None) for row in rows)


def is_executive(user: User) -> bool:
    """Whether the person reads the overview and the model card."""
    return UserRight.objects.filter(user=user, role=EXECUTIVE).exists()


def is_overseer(user: User) -> bool:
    """Whether the person reads the audit log: an executive report viewer of all partners and countries."""
    return UserRight.objects.filter(user=user, role=EXECUTIVE, partner_global_id="", country="").exists()


def person(request: HttpRequest) -> User:
    """The signed-in person."""
    return cast(User, request.user)


def scoped(page: Callable[..., HttpResponse]) -> Page:
    """A page for signed-in people, given their scope; the store is open for reading while it is made."""

    @wraps(page)
    def answer(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect(f"/sign-in?next={request.path}")
        rights = rights_of(person(request))
        if not rights:
            record(request, person(request).get_username(), "refused", request.path)
            return error_page(
                request, 403, "You have no rights yet", "Ask your operator for a role with a partner: `bellwether hub-user grant`."
            )
        try:
            with open_reader(hub_settings().store) as store:
                return page(
                    request, PartnerScope(store, hub_settings().catalogue, rights, hub_settings().load_outlook), *arguments, **named
                )
        except StoreError as error:
            return error_page(request, 503, "There are no scores to show", f"{error}.")

    return answer


def executives_only(page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page of executive report viewers."""

    @wraps(page)
    def answer(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if not is_executive(person(request)):
            record(request, person(request).get_username(), "refused", request.path)
            return error_page(request, 403, "This page is for executive report viewers", "Your accounts and reports are in the menu.")
        return page(request, *arguments, **named)

    return answer


def signed_in(page: Callable[..., HttpResponse]) -> Page:
    """A page for whoever is signed in, that shows nothing of the store."""

    @wraps(page)
    def answer(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect(f"/sign-in?next={request.path}")
        return page(request, *arguments, **named)

    return answer


def begin_attempt(username: str, address: str) -> SignInFailure | None:
    """An attempt to give a password, which counts as failed until ``attempt.delete()``; None when too many failed lately.

    Counted and recorded in one transaction, before the password is looked at: parallel attempts cannot outrun the lock.
    A name is locked first for the address that failed, so that a stranger elsewhere locks nobody out; then for all.
    """
    present_text = present()
    since = utc_text(datetime.fromisoformat(present_text) - timedelta(minutes=LOCKED_MINUTES))
    with transaction.atomic():  # IMMEDIATE, by the settings of the database
        lately = SignInFailure.objects.filter(failed_at__gt=since)
        of_name = lately.filter(username=username.lower())
        if (
            of_name.filter(address=address).count() >= MOST_FAILURES_OF_NAME
            or of_name.count() >= MOST_FAILURES_OF_NAME_ANYWHERE
            or lately.filter(address=address).count() >= MOST_FAILURES_OF_ADDRESS
        ):
            return None
        return SignInFailure.objects.create(username=username.lower(), address=address, failed_at=present_text)
