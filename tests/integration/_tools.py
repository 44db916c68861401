"""
Programs for tests that cannot share our environment, each in one of its own outside the checkout.

They stay in the cache of the user, so that only the first run on a machine fetches them.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path


def tool_environment(requirement: str) -> Path:
    """
    The directory with the programs of *requirement*, such as ``ministack==1.5.33``.

    Made when it is not there; whoever asks at the same time waits.
    """
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{requirement}-{version}")
    place = _cache() / name
    ready = place / "ready"
    place.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            run = [sys.executable, "-m", "venv", "--clear", str(place)]
            subprocess.run(run, check=True, capture_output=True)
            install = [str(place / "bin/python"), "-m", "pip", "install", "--quiet", requirement]
            subprocess.run(install, check=True, capture_output=True)
            ready.touch()
    return place / "bin"


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "tiphys-tests"
