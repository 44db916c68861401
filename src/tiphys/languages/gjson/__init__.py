"""
The path language of ``dataKey``, ``contextKey`` and of the paths in filters (gjson).

A path is compiled once and evaluated on the text of many events::

    name = compile("body.repository.full_name")
    name.get(Document(event.data)).string()

A Document decodes its text once for all paths. Paths work on the text, not on decoded data: the
source of every value is kept (digits, blanks, the order of keys), and broken JSON is searched as
far as it goes. The only errors are CompileError for a path that is too long, and LimitExceeded.
"""

from tiphys.languages.gjson._budget import MAX_DEPTH, MAX_OUTPUT, MAX_READ
from tiphys.languages.gjson._document import MAX_PATH, Document, Path, compile, get, parse, valid
from tiphys.languages.gjson._result import Kind, Result

__all__ = [
    "MAX_DEPTH",
    "MAX_OUTPUT",
    "MAX_PATH",
    "MAX_READ",
    "Document",
    "Kind",
    "Path",
    "Result",
    "compile",
    "get",
    "parse",
    "valid",
]
