"""
The languages inside manifests: pure functions, no I/O, no import of the rest of Tiphys.

Each package compiles an expression once into an object that is then evaluated per event.
"""

from tiphys.languages._errors import CompileError, EvaluationError, LanguageError, LimitExceeded

__all__ = ["CompileError", "EvaluationError", "LanguageError", "LimitExceeded"]
