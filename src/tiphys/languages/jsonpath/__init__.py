"""
JSONPath as RFC 9535 defines it, an extension of Tiphys for paths that begin with ``$``.

Has the interface of :mod:`tiphys.languages.gjson`: a path is compiled once and evaluated on
documents. One match gives that value, several give the JSON array of them in document order, and
none, whether the path names one place or many, gives a value that does not exist.
"""

from tiphys.languages.jsonpath._path import MAX_PATH, Path, compile
from tiphys.languages.jsonpath._steps import MAX_STEPS

__all__ = ["MAX_PATH", "MAX_STEPS", "Path", "compile"]
