"""The command, the configuration, and how the rooms are put together."""

__version__ = "0.1.0"
