"""
The JSON paths of the ``jsonpath()`` function inside expressions, a dialect older than RFC 9535.

``compile(path)`` returns a :class:`Path`, whose ``get(value)`` answers with the value itself
where the path can lead to one place only, and with a list where it can lead to several::

    compile("$.store.book[0].title").get(data)  # "Sayings"
    compile("$..price").get(data)  # [19.95, 8.95]

A place that is not there is an EvaluationError in the first case and left out in the second.
Numbers of *data* are floats.
"""

from tiphys.languages.jsonpath_function._path import MAX_PATH, MAX_STEPS, Path, compile

__all__ = ["MAX_PATH", "MAX_STEPS", "Path", "compile"]
