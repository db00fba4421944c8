"""Signing in and out, and one's password."""

from __future__ import annotations

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from hub import audit
from hub.access import LOCKED_MINUTES, begin_attempt, person, signed_in

LOCKED_OUT = f"Too many failed attempts. Wait {LOCKED_MINUTES} minutes, then try again."


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The form, and what becomes of it. A wrong name and a wrong password read the same."""
    problem, username = "", ""
    if request.method == "POST":
        username = request.POST.get("username", "").strip()[:150]
        address = audit.address_of(request)
        attempt = begin_attempt(username, address)
        if attempt is None:
            audit.record(request, username, "sign-in locked out")
            problem = LOCKED_OUT
        elif user := authenticate(request, username=username, password=request.POST.get("password", "")):
            attempt.delete()
            request.session.flush()  # also of who is signed in already: every sign-in has a key of its own
            login(request, user)
            audit.record(request, user.get_username(), "sign-in")
            return redirect(_next_page(request))
        else:
            audit.record(request, username, "sign-in failed")
            problem = "Name or password is wrong."
    context = {"problem": problem, "username": username, "next": request.GET.get("next", "")}
    return render(request, "hub/sign_in.html", context, status=401 if problem else 200)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session."""
    if request.user.is_authenticated:
        audit.record(request, request.user.get_username(), "sign-out")
    logout(request)
    response = redirect("/sign-in")
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@require_http_methods(["GET", "POST"])
@signed_in
def password(request: HttpRequest) -> HttpResponse:
    """Changes one's password, which asks for the present one; all other sessions of the person end."""
    problem, who = "", person(request)
    if request.method == "POST":
        problem = _change_password(request, who)
        if not problem:
            update_session_auth_hash(request, who)
            audit.record(request, who.get_username(), "password changed", "by its owner")
            return render(request, "hub/password.html", {"is_done": True})
    return render(request, "hub/password.html", {"problem": problem}, status=422 if problem else 200)


def _change_password(request: HttpRequest, who: User) -> str:
    """What is wrong, or nothing: then the password is changed."""
    present, new = request.POST.get("present", ""), request.POST.get("new", "")
    attempt = begin_attempt(who.get_username(), audit.address_of(request))
    if attempt is None:
        return LOCKED_OUT
    if not who.check_password(present):
        audit.record(request, who.get_username(), "password change failed")
        return "The present password is wrong."
    attempt.delete()
    if new != request.POST.get("again", ""):
        return "The new password was not written the same twice."
    try:
        validate_password(new, who)
    except ValidationError as error:
        return " ".join(error.messages)
    who.set_password(new)
    who.save()
    return ""


def _next_page(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    return wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/") else "/"
