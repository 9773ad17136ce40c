"""Whole runs are attacked with what the integration tests run them with."""

from tests.integration.conftest import library, paddock, repository

__all__ = ["library", "paddock", "repository"]
