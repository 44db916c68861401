"""
A small pool of supervised processes for engines that cannot be stopped inside our own.

Lua and jq hold the interpreter while they run, and jq answers a lack of memory with an abort of
its process.  So scripts run in workers with a deadline, a memory limit and an empty environment:
a worker that overruns is killed and replaced while the other workers go on.
"""

from tiphys.languages._workers.pool import WorkerPool

__all__ = ["WorkerPool"]
