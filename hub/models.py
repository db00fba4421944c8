"""The hub's own records: rights, saved reports, written files, attempts to sign in, and the audit log."""

from __future__ import annotations

from pathlib import Path

from django.contrib.auth.models import User
from django.db import models

from hub.setup import hub_settings

VIEWER, EXECUTIVE = "report viewer", "executive report viewer"
ROLES = (VIEWER, EXECUTIVE)


class UserRight(models.Model):
    """A role for one partner (all partners when empty), for one country (every country when empty)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="user_rights")
    role = models.CharField(max_length=30, choices=[(role, role) for role in ROLES])
    partner_global_id = models.CharField(max_length=64, blank=True)
    country = models.CharField(max_length=2, blank=True)

    class Meta:
        unique_together = ("user", "partner_global_id", "country")


class SavedReport(models.Model):
    """A report someone put together, and when it is made by itself."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    name = models.CharField(max_length=120)
    report = models.CharField(max_length=40)
    columns = models.JSONField(default=list)
    filters = models.JSONField(default=dict)
    partner_global_id = models.CharField(max_length=64, blank=True)
    country = models.CharField(max_length=2, blank=True)
    as_of = models.CharField(max_length=10, blank=True)  # empty: the latest scores there are
    file_format = models.CharField(max_length=10)
    day_of_month = models.PositiveSmallIntegerField(null=True)  # None: only on request
    created_at = models.CharField(max_length=20)


class ReportFile(models.Model):
    """One making of a saved report."""

    QUEUED, RUNNING, READY, FAILED = "queued", "running", "ready", "failed"
    REMOVED = "removed"  # shown, never stored: it was ready, and its file is gone

    saved = models.ForeignKey(SavedReport, on_delete=models.CASCADE, related_name="files")
    state = models.CharField(max_length=10, default=QUEUED)
    is_scheduled = models.BooleanField(default=False)
    requested_at = models.CharField(max_length=20)
    as_of = models.CharField(max_length=10, blank=True)
    n_rows = models.PositiveIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    error = models.CharField(max_length=300, blank=True)

    @property
    def path(self) -> Path:
        """Where the file lies; its name is a number, never anything someone typed."""
        return hub_settings().files / f"{self.pk}.{self.saved.file_format}"

    @property
    def shown_state(self) -> str:
        """The state, or that the file was removed: by ``bellwether forget``, since a forgotten company may stand in it, or by the operator."""
        return self.REMOVED if self.state == self.READY and not self.path.exists() else str(self.state)


class SignInFailure(models.Model):
    """A failed attempt to sign in; several lock the name or the address out for a while."""

    username = models.CharField(max_length=150, db_index=True)
    address = models.CharField(max_length=64, db_index=True)
    failed_at = models.CharField(max_length=20, db_index=True)


class AuditEntry(models.Model):
    """Who did what, when, from where. Entries are only ever added."""

    at = models.CharField(max_length=20)
    username = models.CharField(max_length=150)
    address = models.CharField(max_length=64)
    action = models.CharField(max_length=40)
    detail = models.CharField(max_length=300)
