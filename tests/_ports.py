"""Free ports on the loopback."""

from __future__ import annotations

import os
import random
import socket
from collections import deque

# Below those that systems give to outgoing connections, one of which could take a port before the
# server that it was found for.
FIRST, LAST = 13_000, 19_999
# Test processes that run side by side share none: a server that lets others use its port, as those
# of gRPC do, would have that of another process.
PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_chance = random.SystemRandom()  # another seed would let all test processes begin with the same
_given: deque[int] = deque(maxlen=1000)  # their servers may not have begun yet


def free_port() -> int:
    """A port that nobody listens on at this moment, another than the last ones."""
    while True:
        port = _chance.randrange(FIRST + PROCESS, LAST, PROCESSES)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.append(port)
        return port
