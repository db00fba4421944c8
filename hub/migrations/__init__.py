"""Migrations of the hub's own database."""
