"""
Runs tests against a real API server: ``python -m tests.kubernetes_servers [ARGUMENTS]``.

The arguments are those of pytest; without any, the tests that can use such a server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from tests.kubernetes_servers._build import built
from tests.kubernetes_servers._cluster import Failed, cluster

TESTS = ("-q", "tests/integration/kube")


def main(arguments: list[str]) -> int:
    """Build the servers where needed, start them, run the tests; the status of pytest."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)  # so that the servers are ended then as well
    program = built()
    with tempfile.TemporaryDirectory(prefix="tiphys-kubernetes-") as directory:
        began = time.monotonic()
        with cluster(program, Path(directory)) as kubeconfig:
            print(f"The servers are ready after {time.monotonic() - began:.1f} s.", flush=True)
            return subprocess.run(
                [sys.executable, "-m", "pytest", *(arguments or TESTS)],
                env={**os.environ, "TIPHYS_TEST_KUBECONFIG": str(kubeconfig)},
            ).returncode


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Failed, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
