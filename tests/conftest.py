"""What all tests share: programs of the machine are asked for by name, and no example fails because it was slow.

A test that needs a program says so: ``@pytest.mark.needs("amtool")``.
"""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("busy", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [name for mark in item.iter_markers("needs") for name in mark.args if shutil.which(name) is None]
    if not missing:
        return
    text = f"needs {' and '.join(missing)} on PATH; on Debian: apt-get install prometheus prometheus-alertmanager"
    if os.environ.get("CI"):
        pytest.fail(text, pytrace=False)
    pytest.skip(text)
