"""Terms of a program: paths, calls, constants, and the words with an ``end``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from tiphys.languages._errors import CompileError
from tiphys.languages.jq._builtins import FORMATS, REGEX_FUNCTIONS
from tiphys.languages.jq._dates import reading
from tiphys.languages.jq._queries import Code, QueryTranslator
from tiphys.languages.jq._regexes import rewrite
from tiphys.languages.jq._scopes import Scope
from tiphys.languages.jq._tokens import END, Token, quoted

__all__ = ["translate"]

_MAY_BE_EMPTY = re.compile(
    r"\b(?:empty|select|try|t_each|t_members|limit|first|last|skip|range|recurse|t_recurse|t_match|t_scan"
    r"|t_splits|t_paths|path|values|numbers|strings|nulls|booleans|arrays|objects|iterables|scalars"
    r"|f_\w+|break|error)\b"
)


def translate(program: str) -> str:
    """
    Translate *program*; its outputs are the JSON texts of the original's outputs.

    Raises CompileError where the original does: for words out of place, and for names of
    functions, variables and labels that do not exist.
    """
    return _TermTranslator(program).program()


class _TermTranslator(QueryTranslator):
    def program(self) -> str:
        self._module()
        definitions: list[str] = []
        scope = Scope()
        while self._token.kind == "def":
            definition, scope = self._definition(scope)
            definitions.append(definition)
        if self._token.kind == END:
            raise self._unexpected('a query (try ".")')
        body = self._query(scope).text
        if self._token.kind != END:
            raise self._unexpected("expected an operator or the end")
        output = self._usage.need("t_output")
        body = f"{' '.join(definitions)} ({body} | {output})"
        return f"{self._usage.definitions()} {body}"

    def _module(self) -> None:
        """``module`` says nothing here, and there are no modules to load."""
        if self._accept("module"):
            self._expect("{")
            while not self._accept("}"):
                if self._next().kind == END:
                    raise self._unexpected("expected '}'")
            self._expect(";")
        token = self._token
        if token.kind in ("import", "include"):
            raise self._fault("cannot load module: there are none", token)

    def _term(self, scope: Scope) -> Code:
        token = self._token
        if token.kind in ("+", "-"):
            self._next()
            operand = self._term(scope)
            function = self._usage.need("t_plus" if token.kind == "+" else "t_negate")
            return Code(f"({operand.text} | {function})")
        code = self._simple(scope)
        while True:
            token = self._token
            if token.kind == "index":
                self._next()
                code = self._step(code, self._member(quoted(token.text)))
            elif token.kind == "[":
                code = self._suffix(code, scope)
            elif token.kind == "?":
                self._next()
                code = self._optional(code)
            elif token.kind == ".":
                self._next()
                code = self._after_dot(code, scope)
            else:
                return code

    def _after_dot(self, code: Code, scope: Scope) -> Code:
        if self._token.kind == "[":
            return self._suffix(code, scope)
        if self._token.kind in ("string", "string start"):
            return self._step(code, self._member(self._string(scope).text))
        raise self._unexpected("expected a name or '['")

    def _member(self, key: str) -> str:
        return f"{self._usage.need('t_member')}({key})" if self._usage.explains else f".[{key}]"

    def _step(self, code: Code, step: str, whole: str | None = None) -> Code:
        """*code* indexed by *step*; *whole* is both together where a pipe does not join them."""
        if whole is None:
            whole = step if code.text == "." else f"({code.text} | {step})"
        return Code(whole, base=code.text, step=step)

    def _suffix(self, code: Code, scope: Scope) -> Code:
        self._expect("[")
        if self._accept("]"):
            return self._step(code, self._usage.need("t_each"))
        if self._accept(":"):
            end = self._query(scope).text
            self._expect("]")
            return self._slice(code, "null", end)
        start = self._query(scope)
        if self._accept(":"):
            end = "null" if self._token.kind == "]" else self._query(scope).text
            self._expect("]")
            return self._slice(code, start.text, end)
        self._expect("]")
        if start.constant is not None:
            return self._step(code, self._member(start.text))
        # the index is computed from the input of the whole term, not from what it indexes
        index = self._usage.need("t_member" if self._usage.explains else "t_at")
        step = f"({start.text} as $i_ | {index}($i_))"
        return self._step(code, step, f"({start.text} as $i_ | {code.text} | {index}($i_))")

    def _slice(self, code: Code, start: str, end: str) -> Code:
        step = f".[{start}:{end}]"
        return self._step(code, step, step if code.text == "." else f"({code.text})[{start}:{end}]")

    def _optional(self, code: Code) -> Code:
        if not code.step:
            return Code(self._attempt(code.text, None))
        if code.step == "t_each":  # the only one whose failure is worth foreseeing
            attempt = self._usage.need("t_members")
        else:
            attempt = self._attempt(code.step, None)
        return Code(attempt if code.base == "." else f"({code.base} | {attempt})")

    def _attempt(self, body: str, handler: str | None) -> str:
        if not self._usage.halts:
            return f"(try ({body}))" if handler is None else f"(try ({body}) catch ({handler}))"
        passing = self._usage.need("t_is_halt")
        return f"(try ({body}) catch (if {passing} then error else {handler or 'empty'} end))"

    def _simple(self, scope: Scope) -> Code:
        token = self._token
        readers: dict[str, Callable[[Scope], Code]] = {
            "if": self._if,
            "try": self._try,
            "reduce": self._fold,
            "foreach": self._fold,
            "break": self._break,
            "{": self._object,
            "[": self._array,
            "(": self._group,
            "format": self._format,
            "string": self._string,
            "string start": self._string,
            "name": self._call,
            "variable": self._variable,
        }
        if reader := readers.get(token.kind):
            return reader(scope)
        match token.kind:
            case "null" | "true" | "false":
                return Code(self._next().kind)
            case "number":
                return Code(self._number(self._next().text))
            case "..":
                self._next()
                return Code(self._usage.need("t_recurse"))
            case "index":
                self._next()
                return self._step(Code("."), self._member(quoted(token.text)))
            case ".":
                self._next()
                if self._token.kind in ("[", "string", "string start"):
                    return self._after_dot(Code("."), scope)
                return Code(".")
        raise self._unexpected("expected a term")

    def _number(self, text: str) -> str:
        if text.isdigit():
            return text.lstrip("0") or "0"
        value = float(text)
        if math.isinf(value):
            return "infinite"
        return str(int(value)) if value.is_integer() and value < 1 << 53 else repr(value)

    def _group(self, scope: Scope) -> Code:
        self._expect("(")
        code = self._query(scope)
        self._expect(")")
        return Code(code.text, code.constant)

    def _array(self, scope: Scope) -> Code:
        self._expect("[")
        if self._accept("]"):
            return Code("[]")
        code = self._query(scope)
        self._expect("]")
        return Code(f"[{code.text}]")

    def _if(self, scope: Scope) -> Code:
        parts: list[str] = []
        while self._token.kind in ("if", "elif"):
            word = self._next().kind
            condition = self._query(scope).text
            self._expect("then")
            parts.append(f"{word} {condition} then {self._query(scope).text}")
        otherwise = self._query(scope).text if self._accept("else") else "."
        self._expect("end")
        return Code(f"({' '.join(parts)} else {otherwise} end)")

    def _try(self, scope: Scope) -> Code:
        self._next()
        body = self._term(scope).text
        handler = self._term(scope).text if self._accept("catch") else None
        return Code(self._attempt(body, handler))

    def _fold(self, scope: Scope) -> Code:
        word = self._next().kind
        source = self._expression(scope).text
        self._expect("as")
        names: set[str] = set()
        pattern = self._pattern(scope, names)
        inner = scope.with_variables(names)
        self._expect("(")
        start = self._query(scope).text
        self._expect(";")
        update = self._query(inner).text
        extract = "."
        if word == "foreach" and self._accept(";"):
            extract = self._query(inner).text
        self._expect(")")
        # where the start has several values, each begins a fold of its own
        head = f"({start} as $r_ | {word} ({source}) as {pattern}"
        if word == "reduce":
            # where nothing comes out, the original keeps what it had
            update = f"last(., {update})" if _MAY_BE_EMPTY.search(update) else update
            return Code(f"{head} ($r_; {update}))")
        if not _MAY_BE_EMPTY.search(update):
            return Code(f"{head} ($r_; {update}; {extract}))")
        keeping = f"{self._usage.need('t_keeping')}({update})"
        ending = f"if .new then .of | {extract} else empty end"
        return Code(f"{head} ({{of: $r_}}; {keeping}; {ending}))")

    def _break(self, scope: Scope) -> Code:
        self._next()
        token = self._expect("variable")
        if token.text not in scope.labels:
            raise self._fault(f"label not defined: ${token.text}", token)
        return Code(f"(break $l_{token.text})")

    def _variable(self, scope: Scope) -> Code:
        token = self._next()
        if token.text in scope.variables:
            return Code(f"$v_{token.text}")
        if token.text == "ENV":
            return Code("{}")
        raise self._fault(f"variable not defined: ${token.text}", token)

    def _object(self, scope: Scope) -> Code:
        self._expect("{")
        members: list[str] = []
        while self._token.kind != "}":
            members.append(self._object_member(scope))
            if self._accept(",") is None:
                break
        self._expect("}")
        return Code(f"{{{', '.join(members)}}}")

    def _object_member(self, scope: Scope) -> str:
        token = self._token
        if self._accept("("):
            key = f"({self._query(scope).text})"
            self._expect(")")
            self._expect(":")
            return f"{key}: {self._object_value(scope)}"
        if token.kind == "variable":
            variable = self._variable(scope).text
            if self._accept(":"):
                return f"({variable}): {self._object_value(scope)}"
            return f"{quoted(token.text)}: {variable}"
        if token.kind in ("string", "string start"):
            key = self._string(scope).text
        else:
            key = quoted(self._key())
        if self._accept(":"):
            return f"({key}): {self._object_value(scope)}"
        return f"({key}): {self._member(key)}"

    def _object_value(self, scope: Scope) -> str:
        code = self._expression(scope).text
        while self._accept("|"):
            code = f"({code} | {self._expression(scope).text})"
        return f"({code})"

    def _string(self, scope: Scope, form: str = "t_text") -> Code:
        token = self._next()
        if token.kind == "string":
            return Code(quoted(token.text), token.text)
        parts: list[str] = []
        while not self._accept("string end"):
            if part := self._accept("string"):
                parts.append(quoted(part.text)[1:-1])
                continue
            self._expect("string query")
            code = self._query(scope)
            self._expect("query end")
            parts.append(f"\\({code.text} | {self._usage.need(form)})")
        return Code(f'"{"".join(parts)}"')

    def _format(self, scope: Scope) -> Code:
        token = self._next()
        function = FORMATS.get(token.text)
        if function is None:
            raise self._fault(f"format not defined: {token.text}", token)
        if self._token.kind in ("string", "string start"):
            return self._string(scope, function)
        return Code(self._usage.need(function))

    def _call(self, scope: Scope) -> Code:
        token = self._next()
        arguments: list[Code] = []
        if self._accept("("):
            arguments.append(self._query(scope))
            while self._accept(";"):
                arguments.append(self._query(scope))
            self._expect(")")
        name, arity = token.text, len(arguments)
        own = scope.functions.get((name, arity))
        if own is None:
            own = self._usage.builtin(name, arity)
            if own is None:
                raise self._undefined(token, arity)
            if name in REGEX_FUNCTIONS:
                arguments[0] = self._regex(token, arguments)
            elif name == "strptime" and (own_reading := self._reading(arguments[0])):
                return Code(own_reading)
        listed = "; ".join(argument.text for argument in arguments)
        return Code(f"{own}({listed})" if arguments else own)

    def _reading(self, form: Code) -> str | None:
        """``strptime`` for a format that is known now."""
        expression = None if form.constant is None else reading(form.constant)
        if expression is None:
            return None
        return f"{self._usage.need('t_read_time')}({quoted(expression)}; {form.text})"

    def _undefined(self, token: Token, arity: int) -> CompileError:
        if token.text in ("input", "inputs") and arity == 0:
            return self._fault("input(s)/0 is not allowed", token)
        return self._fault(f"function not defined: {token.text}/{arity}", token)

    def _regex(self, token: Token, arguments: list[Code]) -> Code:
        """A regular expression that is known now, in the words of the engine's own matcher."""
        constant = arguments[0].constant
        if constant is None or (token.text == "split" and len(arguments) == 1):
            return arguments[0]
        try:
            return Code(quoted(rewrite(constant)))
        except CompileError as error:
            message = f"invalid regular expression {quoted(constant)}: {error.message}"
            return Code(f"error({quoted(message)})")
