"""
The expression language of ``exprs`` filters and of trigger conditions, as govaluate has it.

``compile(text)`` returns an :class:`Expression`, whose ``evaluate`` takes the values of its names.
Numbers are floats. CompileError tells the place of what is broken; EvaluationError that the
values do not fit. Expressions have no loops, so only their nesting is limited.
"""

from tiphys.languages.govaluate._expression import Expression, compile

__all__ = ["Expression", "compile"]
