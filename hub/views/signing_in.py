"""Signing in and out."""

from __future__ import annotations

from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from hub import audit
from hub.access import LOCKED_MINUTES, is_locked_out
from hub.models import SignInFailure


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The form, and what becomes of it. A wrong name and a wrong password read the same."""
    problem, username = "", ""
    if request.method == "POST":
        username = request.POST.get("username", "").strip()[:150]
        address = audit.address_of(request)
        if is_locked_out(username, address):
            audit.record(request, username, "sign-in locked out")
            problem = f"Too many failed attempts. Wait {LOCKED_MINUTES} minutes, then try again."
        elif user := authenticate(request, username=username, password=request.POST.get("password", "")[:500]):
            login(request, user)
            audit.record(request, user.get_username(), "sign-in")
            return redirect(_next_page(request))
        else:
            SignInFailure.objects.create(username=username.lower(), address=address, failed_at=audit.present())
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
    return redirect("/sign-in")


def _next_page(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    return wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/") else "/"
