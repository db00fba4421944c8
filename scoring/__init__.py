"""Fit, buying signals, matrix and clusters, always as of a date."""
