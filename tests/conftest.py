"""Tests that need a program of the machine say so by name: ``@pytest.mark.needs("amtool")``."""

from __future__ import annotations

import os
import shutil

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [name for mark in item.iter_markers("needs") for name in mark.args if shutil.which(name) is None]
    if not missing:
        return
    text = f"needs {' and '.join(missing)} on PATH; on Debian: apt-get install prometheus prometheus-alertmanager"
    if os.environ.get("CI"):
        pytest.fail(text, pytrace=False)
    pytest.skip(text)
