"""The daemon as a whole: what it is made of, how it runs, and how it lives as a process."""

from npsbridge.app.ladder import App, running

__all__ = ["App", "running"]
