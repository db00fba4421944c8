"""The hub's addresses."""

from __future__ import annotations

from django.urls import path

from hub.views import accounts, assets, audit_log, overview, reports, signing_in

urlpatterns = [
    path("", overview.home, name="home"),
    path("sign-in", signing_in.sign_in, name="sign-in"),
    path("sign-out", signing_in.sign_out, name="sign-out"),
    path("password", signing_in.password, name="password"),
    path("audit", audit_log.audit_log, name="audit-log"),
    path("overview", overview.overview, name="overview"),
    path("accounts", accounts.accounts, name="accounts"),
    path("accounts/<str:account_id>", accounts.account, name="account"),
    path("accounts/<str:account_id>/pages/<str:document_id>", accounts.archived_page, name="archived-page"),
    path("plays", overview.plays, name="plays"),
    path("reports", reports.my_reports, name="my-reports"),
    path("reports/new", reports.new_report, name="new-report"),
    path("reports/<int:saved_id>", reports.saved_report, name="saved-report"),
    path("reports/<int:saved_id>/make", reports.make, name="make-report"),
    path("reports/<int:saved_id>/schedule", reports.schedule, name="schedule-report"),
    path("reports/<int:saved_id>/delete", reports.delete, name="delete-report"),
    path("files/<int:file_id>", reports.download, name="download"),
    path("assets/<str:name>", assets.asset, name="asset"),
]

handler403 = "hub.errors.refused"
handler404 = "hub.errors.not_found"
handler500 = "hub.errors.broken"
