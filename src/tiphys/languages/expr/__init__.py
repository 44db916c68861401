"""
Expr, the expression language of ``filter.expression``, at the level of its version 1.15.

``compile(expression)`` checks and compiles an expression once; the :class:`Expression` is then
evaluated with a map of names per event::

    expression = compile('body.ref == "refs/heads/main"')
    expression.evaluate({"body": {"ref": "refs/heads/main"}})  # True

JSON numbers must be ``float`` in the environment, as the original decodes them: ``int`` is the
type of integer literals, and the two differ in ``%`` and inside lists.
"""

from tiphys.languages.expr._expression import Expression, compile

__all__ = ["Expression", "compile"]
