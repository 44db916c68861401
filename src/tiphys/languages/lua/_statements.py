"""Statements of a script, and the whole of it."""

from __future__ import annotations

from collections.abc import Sequence

from tiphys.languages.lua._assignments import AssignmentTranslator
from tiphys.languages.lua._code import Code, Piece, Slot, commas, quoted, render
from tiphys.languages.lua._scopes import Block, Function, Misjump
from tiphys.languages.lua._tokens import END, Token, fault, misplaced

__all__ = ["translate"]

_LIBRARY_NAMES = """
    assert error getmetatable ipairs load loadstring next pairs pcall rawget rawset select setfenv
    setmetatable tonumber tostring type unpack xpcall coroutine math os string table
"""
_LIBRARY = frozenset(_LIBRARY_NAMES.split())
_BLOCK_ENDS = frozenset((END, "end", "else", "elseif", "until"))


def translate(script: str) -> str:
    """
    Translate *script*, one character a byte, to Lua for the engine; raises SyntaxFault.

    The translation is a chunk that takes the table of our functions as its argument.
    """
    return _StatementTranslator(script).script()


class _StatementTranslator(AssignmentTranslator):
    _labels = 0

    def script(self) -> str:
        start = Slot()
        body = self._statements(END)
        self._close_block()
        if self._asks_metatables:
            self._helper("note_event")
        names = sorted(self._helpers)
        if names:
            values = ", ".join(f"{self._prefix}.{name}" for name in names)
            locals_ = ", ".join(self._helper(name) for name in names)
            start.text = f"local {self._prefix} = ...; local {locals_} = {values}; "
        if self._asks_metatables:
            start.text += f"{self._helper('note_event')}(); "
        if self._keeps_order:
            start.text = "(...).keep_order(); " + start.text
        return render([(1, start), *body])

    def _statements(self, *ends: str) -> list[Piece]:
        """The statements up to one of the words *ends*, which is left to the caller."""
        pieces: list[Piece] = []
        while (kind := self._token.kind) not in _BLOCK_ENDS:
            if self._accept(";"):
                continue
            if kind != "::":
                self._block.statement()
            if kind in ("return", "break"):
                pieces += self._return() if kind == "return" else self._break()
                self._accept(";")
                break
            pieces += self._statement()
            pieces.append((self._tokens[self._index - 1].line, "; "))
        if self._token.kind not in ends:
            raise self._unexpected(f"expected {' or '.join(repr(end) for end in ends)}")
        return pieces

    def _statement(self) -> list[Piece]:
        token = self._token
        self._depth += 1
        if self._depth > 100:
            raise fault("nested too deeply", self._script, token)
        match token.kind:
            case "do":
                self._next()
                pieces = [(token.line, "do "), *self._nested("end"), self._word("end")]
            case "while":
                pieces = self._while()
            case "repeat":
                pieces = self._repeat()
            case "if":
                pieces = self._if()
            case "for":
                pieces = self._for()
            case "function":
                pieces = self._function()
            case "local":
                pieces = self._local()
            case "::":
                pieces = self._label()
            case "goto":
                pieces = self._goto()
            case _:
                pieces = self._assignment_or_call()
        self._depth -= 1
        return pieces

    def _word(self, kind: str) -> Piece:
        return self._expect(kind).line, f" {kind} "

    def _nested(
        self, *ends: str, loop: bool = False, variables: Sequence[Token] = ()
    ) -> list[Piece]:
        """The statements of an inner block; *variables* are those of a ``for``."""
        self._block = Block(self._block, self._block.function, loop)
        if variables:
            self._block.declare(*(name.text for name in variables), hidden=3)
        pieces = self._statements(*ends)
        self._close_block()
        return pieces

    def _close_block(self, before_until: bool = False) -> None:
        try:
            self._block.close(before_until)
        except Misjump as misjump:
            raise misplaced(misjump.message, self._script, misjump.token) from None
        if self._block.parent is not None:
            self._block = self._block.parent

    def _while(self) -> list[Piece]:
        token = self._next()
        condition = self._expression()
        return [
            *((token.line, "while "), *condition.pieces, self._word("do")),
            *self._nested("end", loop=True),
            self._word("end"),
        ]

    def _repeat(self) -> list[Piece]:
        token = self._next()
        self._block = Block(self._block, self._block.function, is_loop=True)
        pieces = [(token.line, "repeat "), *self._statements("until"), self._word("until")]
        condition = self._expression()  # it sees the local variables of the body
        self._close_block(before_until=True)
        return [*pieces, *condition.pieces]

    def _if(self) -> list[Piece]:
        pieces: list[Piece] = []
        while self._token.kind in ("if", "elseif"):
            pieces.append(self._word(self._token.kind))
            pieces += self._expression().pieces
            pieces.append(self._word("then"))
            pieces += self._nested("elseif", "else", "end")
        if self._token.kind == "else":
            pieces.append(self._word("else"))
            pieces += self._nested("end")
        return [*pieces, self._word("end")]

    def _for(self) -> list[Piece]:
        token = self._next()
        names = [self._expect("name")]
        pieces: list[Piece]
        if self._accept("="):
            bounds = [self._bound("init")]
            self._expect(",")
            bounds.append(self._bound("limit"))
            if self._accept(","):
                bounds.append(self._bound("step"))
            pieces = [(token.line, f"for {self._name(names[0])} = "), *commas(bounds)]
        else:
            while self._accept(","):
                names.append(self._expect("name"))
            self._expect("in")
            listed = ", ".join(self._name(name) for name in names)
            pieces = [(token.line, f"for {listed} in "), *commas(self._expressions())]
        pieces.append(self._word("do"))
        pieces += self._nested("end", loop=True, variables=names)
        return [*pieces, self._word("end")]

    def _bound(self, what: str) -> Code:
        bound = self._expression().single()
        if bound.kind == "number":
            return bound
        arguments: list[Piece] = [*bound.pieces, (bound.pieces[-1][0], f', "{what}"')]
        return self._call("bound", bound.line, arguments)

    def _function(self) -> list[Piece]:
        token = self._next()
        name = self._expect("name")
        code = Code([(name.line, self._name(name))], "name")
        first = ""
        while self._token.kind in (".", ":"):
            separator = self._next()
            key = self._expect("name")
            code = self._indexed(code, Code([(key.line, quoted(key.text))], "string"))
            if separator.kind == ":":
                first = "self"
                break
        body = Code([(token.line, "function"), *self._function_body(first)], "function")
        return self._store(code, body)

    def _function_body(self, first: str = "") -> list[Piece]:
        opening = self._expect("(")
        names = [first] if first else []
        varargs = False
        while self._token.kind != ")":
            if self._accept("..."):
                varargs = True
                break
            names.append(self._name(self._expect("name")))
            if self._accept(",") is None:
                break
            if self._token.kind == ")":
                raise self._unexpected("expected a name")
        self._expect(")")
        function = Function(varargs)
        outer, self._block = self._block, Block(None, function)
        has_arg = varargs and self._mentions_arg
        self._block.declare(*names, *(["arg"] if has_arg else []))
        start = Slot()
        body = self._statements("end")
        self._close_block()
        self._block = outer
        if has_arg:
            start.text = "local arg; " if function.uses_varargs else self._arg()
        listed = ", ".join([*names, "..."] if varargs else names)
        line = opening.line
        return [(line, f"({listed}) "), (line, start), *body, self._word("end")]

    def _arg(self) -> str:
        return f"local arg = {self._helper('arguments')}(...); "

    def _local(self) -> list[Piece]:
        token = self._next()
        if self._accept("function"):
            name = self._expect("name")
            self._block.declare(name.text)
            return [
                (token.line, f"local function {self._name(name)}"),
                *self._function_body(),
            ]
        names = [self._expect("name")]
        while self._accept(","):
            names.append(self._expect("name"))
        codes = self._expressions() if self._accept("=") else []
        self._block.declare(*(name.text for name in names))
        if len(names) == 1 and len(codes) == 1 and codes[0].kind == "function":
            # the original lets such a function see itself, as ``local function`` does
            name_piece: Piece = (token.line, f"local function {self._name(names[0])}")
            return [name_piece, *codes[0].pieces[1:]]
        listed = ", ".join(self._name(name) for name in names)
        equals: list[Piece] = [(codes[0].line, " = "), *commas(codes)] if codes else []
        return [(token.line, f"local {listed}"), *equals]

    def _label(self) -> list[Piece]:
        token = self._next()
        name = self._expect("name")
        self._expect("::")
        self._labels += 1
        unique = f"{self._prefix}_{self._labels}"
        try:
            self._block.label(name, unique)
        except Misjump as misjump:
            raise misplaced(misjump.message, self._script, misjump.token) from None
        return [(token.line, f"::{unique}::")]

    def _goto(self) -> list[Piece]:
        token = self._next()
        return [(token.line, "goto "), (token.line, self._block.jump(self._expect("name")))]

    def _break(self) -> list[Piece]:
        token = self._next()
        if not self._block.in_loop:
            raise misplaced("no loop to break", self._script, token)
        return [(token.line, "break ")]

    def _return(self) -> list[Piece]:
        token = self._next()
        if self._token.kind in _BLOCK_ENDS or self._token.kind == ";":
            return [(token.line, "return ")]
        codes = self._expressions()
        if len(codes) == 1 and codes[0].kind in ("helper", "index"):
            codes = [codes[0].enclosed()]  # a tail call of ours would lose the line of errors
        elif len(codes) == 1 and codes[0].kind == "call" and _calls_library(codes[0]):
            codes = [self._call("all", codes[0].line, codes[0].pieces)]
        return [(token.line, "return "), *commas(codes), (codes[-1].pieces[-1][0], " ")]


def _calls_library(code: Code) -> bool:
    """Whether a call looks like one of a function of ours; it must not replace its caller."""
    first = code.pieces[0][1]
    return first in _LIBRARY or str(first).startswith(('"', "("))
