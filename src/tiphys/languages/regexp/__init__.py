"""
Regular expressions as Go's package ``regexp`` reads them, on the RE2 engine.

``compile(pattern)`` returns a :class:`Regexp` and keeps the latest ones; a broken pattern raises
CompileError with Go's text. Matching takes time linear in the text whatever the pattern, and
RE2 bounds the memory of each pattern.
"""

from tiphys.languages.regexp._engine import Match, Regexp, compile, quote_meta

__all__ = ["Match", "Regexp", "compile", "quote_meta"]
