"""Which passwords are too easily guessed, beyond those that everyone uses."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

ROWS = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
)
SHORTEST_UNIT = 4


class NearlyCommonPasswordValidator(CommonPasswordValidator):
    """Refuses the 20,000 commonest passwords, also with digits and signs around them or repeated, and runs along the keyboard.

    Few of the commonest are twelve characters long; people make them so in these ways.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        """Raises:
        ValidationError: the password is common, or nearly.
        """
        if any(core in self.passwords or len(core) < SHORTEST_UNIT for core in cores(password)) or is_run(password):
            raise ValidationError("This password is one of the commonest, or nearly. Write a sentence of your own.", code="nearly_common")

    def get_help_text(self) -> str:
        """What the validator asks for."""
        return "Your password must not be a common one, nor one with digits or signs around it."


def cores(password: str) -> Iterator[str]:
    """What a password comes down to: itself, without the digits and signs around it, and what it repeats.

    >>> list(cores("Password1234")), list(cores("monkeymonkey"))
    (['password1234', 'password'], ['monkeymonkey', 'monkeymonkey', 'monkey', 'monkey'])
    """
    whole = password.lower()
    stem = whole
    while stem and not stem[0].isalpha():
        stem = stem[1:]
    while stem and not stem[-1].isalpha():
        stem = stem[:-1]
    texts = [whole, stem] if stem else [whole]
    yield from texts
    yield from (text[:at] for text in texts if (at := (text + text).find(text, 1)) < len(text))


def is_run(password: str) -> bool:
    """Whether it runs along the digits, the alphabet or a keyboard, forwards or backwards.

    >>> is_run("234567890123"), is_run("mnbvcxzlkjhg"), is_run("twelve digits")
    (True, True, False)
    """
    text = password.lower()
    return any(text in row * 2 or text in row[::-1] * 2 for row in ROWS)
