"""Pages for what cannot be shown: each says what to do."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def error_page(request: HttpRequest, status: int, title: str, what_to_do: str) -> HttpResponse:
    """A page that says what is wrong and the next step."""
    return render(request, "hub/error.html", {"title": title, "what_to_do": what_to_do}, status=status)


def refused(request: HttpRequest, exception: Exception | None = None, reason: str = "") -> HttpResponse:
    """A form that was not ours, or too old."""
    return error_page(request, 403, "This form has expired", "Go back, load the page again, and send the form once more.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A page that is not there, or not this person's: nobody can tell which."""
    return error_page(request, 404, "There is nothing here for you", "Check the address, or choose a page from the menu.")


def broken(request: HttpRequest) -> HttpResponse:
    """A mistake of ours."""
    return error_page(request, 500, "Something went wrong", "Try again; if it happens again, tell your operator the time and the page.")
