"""
Queries of a program, translated to what the engine's own jq runs as the original would.

Everything is put in parentheses, so that no rule of precedence of the engine matters.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tiphys.languages._errors import CompileError
from tiphys.languages.jq._builtins import Usage
from tiphys.languages.jq._scopes import Scope
from tiphys.languages.jq._tokens import END, Token, quoted, tokenize

__all__ = ["Code", "QueryTranslator"]

_UPDATES: Final = ("=", "|=", "+=", "-=", "*=", "/=", "%=", "//=")
_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")
_RANKS: Final = {
    "//": 1,
    **dict.fromkeys(_UPDATES, 2),
    "or": 3,
    "and": 4,
    **dict.fromkeys(_COMPARISONS, 5),
    "+": 6,
    "-": 6,
    "*": 7,
    "/": 7,
    "%": 7,
}
_ONCE: Final = frozenset((2, 5))  # operators of these ranks do not follow one another
_ARITHMETIC: Final = {
    "+": "t_op_add",
    "-": "t_op_subtract",
    "*": "t_op_multiply",
    "/": "t_op_divide",
    "%": "t_op_modulo",
}
_DEPTH: Final = 100


class Code(NamedTuple):
    """
    A translated query; *constant* is its text when it is a string without queries in it.

    A term that ends in an index is *base* followed by *step*: a question mark behind it is
    about the step alone.
    """

    text: str
    constant: str | None = None
    base: str = ""
    step: str = ""


class QueryTranslator:
    """Reads queries from the words of a program."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._tokens = tokenize(program)
        self._index = 0
        self._depth = 0
        self._usage = Usage(self._tokens)

    @property
    def _token(self) -> Token:
        return self._tokens[self._index]

    def _next(self) -> Token:
        token = self._tokens[self._index]
        self._index += 1
        return token

    def _accept(self, kind: str) -> Token | None:
        return self._next() if self._token.kind == kind else None

    def _expect(self, kind: str) -> Token:
        if self._token.kind == kind:
            return self._next()
        raise self._unexpected(f"expected {kind!r}")

    def _fault(self, message: str, token: Token) -> CompileError:
        return CompileError(message, self._program, token.start)

    def _unexpected(self, expected: str) -> CompileError:
        token = self._token
        what = END if token.kind == END else repr(self._program[token.start : token.end])
        return self._fault(f"unexpected {what}: {expected}", token)

    def _query(self, scope: Scope) -> Code:
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._fault("nested too deeply", self._token)
        left = self._alternatives(scope)
        if self._accept("|"):
            left = Code(f"({left.text} | {self._query(scope).text})")
        self._depth -= 1
        return left

    def _alternatives(self, scope: Scope) -> Code:
        """Queries with commas between them."""
        codes = [self._item(scope)]
        while self._accept(","):
            codes.append(self._item(scope))
        if len(codes) == 1:
            return codes[0]
        return Code(f"({', '.join(code.text for code in codes)})")

    def _item(self, scope: Scope) -> Code:
        if self._token.kind == "def":
            definition, inner = self._definition(scope)
            return Code(f"({definition} {self._query(inner).text})")
        if self._accept("label"):
            name = self._expect("variable").text
            self._expect("|")
            body = self._query(scope.with_label(name))
            return Code(f"(label $l_{name} | {body.text})")
        code = self._expression(scope)
        if self._accept("as"):
            return self._binding(code, scope)
        return code

    def _definition(self, scope: Scope) -> tuple[str, Scope]:
        self._expect("def")
        name = self._expect("name").text
        parameters: list[str] = []
        if self._accept("("):
            parameters.append(self._parameter())
            while self._accept(";"):
                parameters.append(self._parameter())
            self._expect(")")
        self._expect(":")
        outer = scope.with_function(name, len(parameters))
        body = self._query(outer.with_parameters(parameters))
        self._expect(";")
        listed = "; ".join(
            f"$v_{parameter[1:]}" if parameter.startswith("$") else f"f_{parameter}"
            for parameter in parameters
        )
        head = f"f_{name}({listed})" if parameters else f"f_{name}"
        return f"def {head}: {body.text};", outer

    def _parameter(self) -> str:
        if variable := self._accept("variable"):
            return f"${variable.text}"
        return self._expect("name").text

    def _binding(self, source: Code, scope: Scope) -> Code:
        names: set[str] = set()
        patterns = [self._pattern(scope, names)]
        while self._accept("?//"):
            patterns.append(self._pattern(scope, names))
        self._expect("|")
        body = self._query(scope.with_variables(names))
        return Code(f"({source.text} as {' ?// '.join(patterns)} | {body.text})")

    def _expression(self, scope: Scope, limit: int = 0) -> Code:
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._fault("nested too deeply", self._token)
        left = self._term(scope)
        while (rank := _RANKS.get(self._token.kind, 0)) > limit:
            operator = self._next().kind
            right = self._expression(scope, rank - 1 if operator == "//" else rank)
            left = Code(self._binary(operator, left.text, right.text))
            if rank in _ONCE and _RANKS.get(self._token.kind) == rank:
                raise self._unexpected("expected parentheses around one of the two")
        self._depth -= 1
        return left

    def _binary(self, operator: str, left: str, right: str) -> str:
        if operator in _ARITHMETIC and self._usage.exact:
            return f"{self._usage.need(_ARITHMETIC[operator])}({left}; {right})"
        if operator in _UPDATES[2:-1]:
            if not self._usage.exact:
                return f"({left} {operator} {right})"
            function = self._usage.need(_ARITHMETIC[operator[0]])
            return f"({right} as $o_ | {left} |= {function}(.; $o_))"
        return f"({left} {operator} {right})"

    def _pattern(self, scope: Scope, names: set[str]) -> str:
        """A destructuring pattern; the names it binds are added to *names*."""
        if variable := self._accept("variable"):
            names.add(variable.text)
            return f"$v_{variable.text}"
        if self._accept("["):
            items = [self._pattern(scope, names)]
            while self._accept(","):
                items.append(self._pattern(scope, names))
            self._expect("]")
            return f"[{', '.join(items)}]"
        self._expect("{")
        members = [self._member_pattern(scope, names)]
        while self._accept(","):
            members.append(self._member_pattern(scope, names))
        self._expect("}")
        return f"{{{', '.join(members)}}}"

    def _member_pattern(self, scope: Scope, names: set[str]) -> str:
        token = self._token
        if self._accept("("):
            key = f"({self._query(scope.with_variables(names)).text})"
            self._expect(")")
        elif token.kind in ("string", "string start"):
            key = f"({self._string(scope).text})"
        elif variable := self._accept("variable"):
            names.add(variable.text)
            key = quoted(variable.text)
            if self._token.kind != ":":
                return f"{key}: $v_{variable.text}"
            self._next()
            # both the variable and what is inside it
            inner = self._pattern(scope, names)
            return f"{key}: $v_{variable.text}, {key}: {inner}"
        else:
            key = quoted(self._key())
        self._expect(":")
        return f"{key}: {self._pattern(scope, names)}"

    def _key(self) -> str:
        """A name, which here may be a keyword."""
        token = self._token
        if token.kind == "name" or (token.text == token.kind and token.kind.isalpha()):
            return self._next().text
        raise self._unexpected("expected a key")

    def _term(self, scope: Scope) -> Code:
        raise NotImplementedError

    def _string(self, scope: Scope) -> Code:
        raise NotImplementedError
