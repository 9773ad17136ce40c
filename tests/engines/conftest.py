"""Tests that need another engine than Docker's with runc: `make engines` installs what they need, and has them run."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("PADDOCK_TEST_ENGINES") else ["test_*.py"]
