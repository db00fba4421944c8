"""The five propensity reports, their cohorts, and the one-page summary."""

from reports.declarations import REPORTS, Report
from reports.formats import FORMATS
from reports.writing import write_report

__all__ = ["FORMATS", "REPORTS", "Report", "write_report"]
