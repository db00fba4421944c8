"""Measurements on real corpora: quality held against floors, speed as a ratio against a named baseline in the same run."""
