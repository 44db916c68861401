"""
Expressions of a script, translated to Lua that the engine runs as the original would.

Arithmetic, joining and lengths become calls of the functions in ``runtime/``; what means the
same in both engines stays as it is.
"""

from __future__ import annotations

import math
from typing import Final

from tiphys.languages.lua._code import Code, Piece, commas, quoted
from tiphys.languages.lua._numbers import parse_number
from tiphys.languages.lua._scopes import Block, Function
from tiphys.languages.lua._tokens import SyntaxFault, Token, fault, misplaced, tokenize

__all__ = ["ExpressionTranslator"]

_ARITHMETIC: Final = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "%": "modulo",
    "^": "power",
}
# how tightly an operator binds what is left of it, and right of it
_BINARY: Final = {
    "or": (1, 1),
    "and": (2, 2),
    **dict.fromkeys(("<", ">", "<=", ">=", "==", "~="), (3, 3)),
    "..": (5, 4),
    "+": (6, 6),
    "-": (6, 6),
    "*": (7, 7),
    "/": (7, 7),
    "%": (7, 7),
    "^": (10, 9),
}
_UNARY_RANK: Final = 8
_DEPTH: Final = 100
_CATCHING: Final = frozenset(("pcall", "xpcall", "resume", "wrap"))


class ExpressionTranslator:
    """Reads expressions from the words of a script."""

    def __init__(self, script: str) -> None:
        self._script = script
        self._tokens = tokenize(script)
        self._index = 0
        self._depth = 0
        self._block = Block(None, Function(varargs=True, is_script=True))
        self._helpers: set[str] = set()
        names = {token.text for token in self._tokens if token.kind == "name"}
        self._prefix = _unused_prefix(names)
        self._mentions_arg = "arg" in names
        # what a script never says costs it nothing
        self._keeps_order = not names.isdisjoint(("pairs", "next"))
        self._explains_errors = not names.isdisjoint(_CATCHING)
        self._asks_metatables = "getmetatable" in names

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
        raise self._unexpected(f"expected {'a name' if kind == 'name' else repr(kind)}")

    def _unexpected(self, expected: str = "") -> SyntaxFault:
        error = fault("syntax error", self._script, self._token)
        error.expected = expected
        return error

    def _helper(self, name: str) -> str:
        self._helpers.add(name)
        return f"{self._prefix}_{name}"

    def _call(self, name: str, line: int, arguments: list[Piece], end: int | None = None) -> Code:
        closing = (arguments[-1][0] if arguments else line) if end is None else end
        pieces: list[Piece] = [(line, f"{self._helper(name)}("), *arguments, (closing, ")")]
        return Code(pieces, "helper")

    def _expressions(self) -> list[Code]:
        codes = [self._expression()]
        while self._accept(","):
            codes.append(self._expression())
        return [code.single() for code in codes[:-1]] + codes[-1:]

    def _expression(self, limit: int = 0) -> Code:
        self._depth += 1
        if self._depth > _DEPTH:
            raise fault("nested too deeply", self._script, self._token)
        left = self._operand()
        while (operator := self._token.kind) in _BINARY and _BINARY[operator][0] > limit:
            token = self._next()
            if operator == "..":
                left = self._joined(left)
                continue
            left = self._binary(token, left, self._expression(_BINARY[operator][1]))
        self._depth -= 1
        return left

    def _joined(self, left: Code) -> Code:
        operands = [left, self._expression(_BINARY[".."][0])]
        while self._accept(".."):
            operands.append(self._expression(_BINARY[".."][0]))
        return self._call("join", left.line, commas(code.single() for code in operands))

    def _binary(self, token: Token, left: Code, right: Code) -> Code:
        operator = token.kind
        if operator in _ARITHMETIC and not (
            left.kind == right.kind == "number" and operator in "+-*/"
        ):
            operands = commas((left.single(), right.single()))
            return self._call(_ARITHMETIC[operator], left.line, operands)
        rank = _BINARY[operator][0]
        pieces = [
            *left.within(rank),
            (token.line, f" {operator} "),
            *right.within(rank + 1),
        ]
        return Code(pieces, "number" if operator in _ARITHMETIC else "value", rank)

    def _operand(self) -> Code:
        token = self._token
        if token.kind == "not":
            self._next()
            operand = self._expression(_UNARY_RANK)
            return Code([(token.line, "not "), *operand.within(_UNARY_RANK)], rank=_UNARY_RANK)
        if token.kind in ("-", "#"):
            self._next()
            operand = self._expression(_UNARY_RANK).single()
            if token.kind == "#":
                return self._call("length", token.line, operand.pieces)
            if operand.kind == "number":
                return Code([(token.line, "(- "), *operand.pieces, (operand.line, ")")], "number")
            return self._call("negate", token.line, operand.pieces)
        return self._simple()

    def _simple(self) -> Code:
        token = self._token
        match token.kind:
            case "nil" | "true" | "false":
                self._next()
                kind = "nil" if token.kind == "nil" else "value"
                return Code([(token.line, token.kind)], kind)
            case "number":
                self._next()
                return Code([(token.line, _number_text(token.text))], "number")
            case "string":
                self._next()
                return Code([(token.line, quoted(token.text))], "string")
            case "...":
                return self._varargs()
            case "function":
                self._next()
                return Code([(token.line, "function"), *self._function_body()], "function")
            case "{":
                return self._table()
        return self._suffixed()

    def _varargs(self) -> Code:
        token = self._next()
        function = self._block.function
        if not function.varargs:
            message = "cannot use '...' outside a vararg function"
            raise misplaced(message, self._script, token)
        if function.is_script:  # whose first argument is the table of our functions
            return Code([(token.line, f"{self._helper('rest')}(...)")], "call")
        function.uses_varargs = True
        return Code([(token.line, "...")], "vararg")

    def _suffixed(self) -> Code:
        """A variable, call or parenthesised expression, with all that is attached to it."""
        token = self._token
        if token.kind == "name":
            self._next()
            code = Code([(token.line, self._name(token))], "name")
        elif token.kind == "(":
            self._next()
            code = self._expression().enclosed()
            self._expect(")")
        else:
            raise self._unexpected("expected an expression")
        while True:
            token = self._token
            match token.kind:
                case ".":
                    self._next()
                    name = self._expect("name")
                    code = self._indexed(code, Code([(name.line, quoted(name.text))], "string"))
                case "[":
                    self._next()
                    key = self._expression().single()
                    self._expect("]")
                    code = self._indexed(code, key)
                case ":":
                    self._next()
                    name = self._expect("name")
                    method = (name.line, f":{self._name(name)}")
                    code = Code([*code.pieces, method, *self._arguments()], "call")
                case "(" | "{" | "string":
                    code = Code([*code.pieces, *self._arguments()], "call")
                case _:
                    return code

    def _indexed(self, code: Code, key: Code) -> Code:
        if self._explains_errors:
            arguments = commas((code.single(), key))
            read = self._call("index", code.line, arguments)
            return Code(read.pieces, "index", target=(code, key))
        line = key.pieces[-1][0]
        pieces = [*code.pieces, (key.line, "["), *key.pieces, (line, "]")]
        return Code(pieces, "index", target=(code, key))

    def _arguments(self) -> list[Piece]:
        token = self._token
        if token.kind == "string":
            self._next()
            return [(token.line, f"({quoted(token.text)})")]
        if token.kind == "{":
            table = self._table()
            return [(token.line, "("), *table.pieces, (table.pieces[-1][0], ")")]
        if self._accept("(") is None:
            raise self._unexpected("expected arguments")
        arguments = [] if self._token.kind == ")" else commas(self._expressions())
        closing = self._expect(")")
        return [(token.line, "("), *arguments, (closing.line, ")")]

    def _table(self) -> Code:
        opening = self._expect("{")
        positional: list[Code] = []
        keyed: list[tuple[Code, Code]] = []
        last_is_positional = False
        while self._token.kind != "}":
            key = self._field_key()
            value = self._expression()
            last_is_positional = key is None
            if key is None:
                positional.append(value)
            else:
                keyed.append((key, value.single()))
            if not self._separators():
                break
        closing = self._expect("}")
        last = len(positional) - (1 if last_is_positional else 0)
        positional = [code.single() for code in positional[:last]] + positional[last:]
        return self._table_code(positional, keyed, opening.line, closing.line)

    def _separators(self) -> bool:
        """Whether a field has been ended; the original takes any number of commas for that."""
        count = 0
        while self._accept(",") or self._accept(";"):
            count += 1
        return count > 0

    def _field_key(self) -> Code | None:
        token = self._token
        if self._accept("["):
            key = self._expression().single()
            self._expect("]")
            self._expect("=")
            return key
        if token.kind == "name" and self._tokens[self._index + 1].kind == "=":
            self._index += 2
            return Code([(token.line, quoted(token.text))], "string")
        return None

    def _table_code(
        self, positional: list[Code], keyed: list[tuple[Code, Code]], line: int, end: int
    ) -> Code:
        fields = commas(
            [
                *(
                    Code([(key.line, "["), *key.pieces, (key.line, "] = "), *value.pieces])
                    for key, value in keyed
                ),
                *positional,
            ]
        )
        plain: list[Piece] = [(line, "{"), *fields, (end, "}")]
        gaps = any(code.kind == "nil" or code.many for code in positional)
        ordered = self._keeps_order and len(keyed) > 1
        if all(key.kind == "string" for key, _ in keyed) and not ordered:
            return self._call("checked", line, plain) if gaps else Code(plain)
        arguments: list[Piece] = [
            *((line, "{"), *commas(positional), (line, f"}}, {len(keyed)}, {{")),
            *commas(key for key, _ in keyed),
            *((line, "}, {"), *commas(value for _, value in keyed), (end, "}")),
        ]
        return self._call("table", line, arguments)

    def _name(self, token: Token) -> str:
        return f"{self._prefix}_ENV" if token.text == "_ENV" else token.text

    def _function_body(self, first: str = "") -> list[Piece]:
        raise NotImplementedError


def _unused_prefix(names: set[str]) -> str:
    prefix = "_t"
    while any(name.startswith(prefix) for name in names):
        prefix += "t"
    return prefix


def _number_text(text: str) -> str:
    value = parse_number(text)
    if value is None or math.isinf(value):
        return "(0/0)"
    return str(int(value)) if value.is_integer() and value < 1 << 53 else repr(value)
