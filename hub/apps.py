"""The hub as a Django application."""

from django.apps import AppConfig


class HubConfig(AppConfig):
    """Names the application."""

    name = "hub"
    label = "hub"
