"""The five propensity reports, their cohorts, and the one-page summary."""

from reports.declarations import REPORTS, Report
from reports.writing import write_report

__all__ = ["REPORTS", "Report", "write_report"]
