"""
jq, the language of ``jq`` in transformations.

    program = jq.compile("{id: .body.id}")
    await program.transform(pool, b'{"body": {"id": 7}}')  # b'{"id":7}'

The dialect is that of Argo Events: no input but the event, no environment, no modules, regular
expressions of RE2.  Programs are checked and translated here and run in the workers of a
:class:`~tiphys.languages._workers.WorkerPool`, by the engine in the module ``jq``
(``pip install 'tiphys[jq]'``).
"""

from tiphys.languages._workers import WorkerPool
from tiphys.languages.jq._program import JqProgram, compile, require_engine

__all__ = ["JqProgram", "WorkerPool", "compile", "require_engine"]
