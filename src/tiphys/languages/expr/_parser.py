"""Builds the syntax tree of an expression from its tokens, by precedence climbing."""

from __future__ import annotations

from collections.abc import Container

from tiphys.languages._errors import CompileError
from tiphys.languages.expr._lexer import Kind, Token, tokenize
from tiphys.languages.expr._nodes import (
    ArrayNode,
    BinaryNode,
    BuiltinNode,
    CallNode,
    ChainNode,
    ClosureNode,
    ConditionalNode,
    DeclarationNode,
    IdentifierNode,
    LiteralNode,
    MapNode,
    MemberNode,
    Node,
    PointerNode,
    SliceNode,
    UnaryNode,
)

__all__ = ["BINARY_PRECEDENCE", "LOOPS", "RIGHT_ASSOCIATIVE", "UNARY_PRECEDENCE", "parse"]

UNARY_PRECEDENCE = {"not": 50, "!": 50, "-": 90, "+": 90}
BINARY_PRECEDENCE = {
    "|": 0,
    **dict.fromkeys(("or", "||"), 10),
    **dict.fromkeys(("and", "&&"), 15),
    **dict.fromkeys(("==", "!=", "<", ">", ">=", "<="), 20),
    **dict.fromkeys(("in", "matches", "contains", "startsWith", "endsWith"), 20),
    "..": 25,
    **dict.fromkeys(("+", "-"), 30),
    **dict.fromkeys(("*", "/", "%"), 60),
    **dict.fromkeys(("**", "^"), 100),
    "??": 500,
}
RIGHT_ASSOCIATIVE = frozenset(("**", "^"))
LOOPS = frozenset(
    (
        *("all", "none", "any", "one", "filter", "map", "count", "groupBy", "reduce"),
        *("find", "findIndex", "findLast", "findLastIndex"),
    )
)
_WORDS = {"true": True, "false": False, "nil": None}
_MAX_INT = (1 << 63) - 1


def parse(expression: str, builtins: Container[str]) -> Node:
    """
    Parse *expression*; names in *builtins* are called as built-in functions.

    Raises CompileError with the place and what was found there.
    """
    parser = _Parser(expression, tokenize(expression), builtins)
    node = parser.expression(0)
    if parser.token.kind is not Kind.END:
        raise parser.unexpected(parser.token)
    return node


class _Parser:
    """Looks at one token at a time; each method parses what its name says and returns it."""

    def __init__(self, source: str, tokens: list[Token], builtins: Container[str]) -> None:
        self.source = source
        self.tokens = tokens
        self.builtins = builtins
        self.index = 0
        self.token = tokens[0]
        self.loop_depth = 0

    def advance(self) -> Token:
        """Return the current token and go to the next."""
        token = self.token
        self.index += 1
        if self.index >= len(self.tokens):
            raise self.error("unexpected end of expression", token)
        self.token = self.tokens[self.index]
        return token

    def at(self, kind: Kind, value: str) -> bool:
        return self.token.kind is kind and self.token.value == value

    def at_operator(self, value: str) -> bool:
        return self.at(Kind.OPERATOR, value)

    def at_bracket(self, value: str) -> bool:
        return self.at(Kind.BRACKET, value)

    def accept_operator(self, value: str) -> bool:
        if self.at_operator(value):
            self.advance()
            return True
        return False

    def expect_operator(self, value: str) -> None:
        if not self.accept_operator(value):
            raise self.unexpected(self.token, value)

    def expect_bracket(self, value: str) -> None:
        if not self.at_bracket(value):
            raise self.unexpected(self.token, value)
        self.advance()

    def expect_identifier(self) -> Token:
        if self.token.kind is not Kind.IDENTIFIER:
            raise self.unexpected(self.token, "a name")
        return self.advance()

    def error(self, message: str, token: Token) -> CompileError:
        return CompileError(message, self.source, token.position)

    def unexpected(self, token: Token, wanted: str = "") -> CompileError:
        expected = f", expected {wanted}" if wanted else ""
        return self.error(f"unexpected token {token.describe()}{expected}", token)

    def expression(self, precedence: int) -> Node:
        """Everything whose operators bind at least as tightly as *precedence*."""
        if precedence == 0 and self.at_operator("let"):
            return self.declaration()
        node = self.operations(self.operand(), precedence)
        return self.conditional(node) if precedence == 0 else node

    def operations(self, left: Node, precedence: int) -> Node:
        previous = ""
        while self.token.kind is Kind.OPERATOR:
            # The original passes over the word before it knows whether an operator follows
            # that it takes here; a "not" in the wrong place is lost, not an error.
            negation = self.advance() if self.at_operator("not") else None
            operator = self.token
            binds = BINARY_PRECEDENCE.get(operator.value, -1)
            if binds < precedence:
                break
            self.advance()
            if operator.value == "|":
                left = self.pipe(left)
            elif previous == "??" and operator.value != "??":
                raise self.error(
                    f"operator {operator.value} and ?? cannot be mixed; wrap either in parentheses",
                    operator,
                )
            else:
                right = self.expression(binds + (operator.value not in RIGHT_ASSOCIATIVE))
                left = BinaryNode(operator.value, left, right, position=operator.position)
                if negation is not None:
                    left = UnaryNode("not", left, position=negation.position)
            previous = operator.value
        return left

    def declaration(self) -> Node:
        self.advance()
        name = self.expect_identifier()
        self.expect_operator("=")
        value = self.expression(0)
        self.expect_operator(";")
        return DeclarationNode(name.value, value, self.expression(0), position=name.position)

    def conditional(self, condition: Node) -> Node:
        while self.at_operator("?"):
            position = self.advance().position
            if self.accept_operator(":"):
                positive = condition
            else:
                positive = self.expression(0)
                self.expect_operator(":")
            negative = self.expression(0)
            condition = ConditionalNode(condition, positive, negative, position=position)
        return condition

    def operand(self) -> Node:
        """A prefix operator with what it applies to, a parenthesis, a pointer, or a value."""
        token = self.token
        if token.kind is Kind.OPERATOR and token.value in UNARY_PRECEDENCE:
            self.advance()
            operand = self.expression(UNARY_PRECEDENCE[token.value])
            return self.postfix(UnaryNode(token.value, operand, position=token.position))
        if self.at_bracket("("):
            self.advance()
            node = self.expression(0)
            self.expect_bracket(")")
            return self.postfix(node)
        if token.kind is Kind.OPERATOR and token.value in ("#", "."):
            return self.pointer(token)
        return self.value(token)

    def pointer(self, token: Token) -> Node:
        if not self.loop_depth:
            raise self.error("cannot use pointer accessor outside closure", token)
        name = ""
        if token.value == "#":
            self.advance()
            if self.token.kind is Kind.IDENTIFIER:
                name = self.advance().value
        return self.postfix(PointerNode(name, position=token.position))

    def value(self, token: Token) -> Node:
        if token.kind is Kind.IDENTIFIER:
            self.advance()
            if token.value in _WORDS:
                return LiteralNode(_WORDS[token.value], position=token.position)
            return self.postfix(self.call(token))
        if token.kind is Kind.NUMBER:
            self.advance()
            return LiteralNode(self.number(token), position=token.position)
        if token.kind is Kind.STRING:
            self.advance()
            return LiteralNode(token.value, position=token.position)
        if self.at_bracket("["):
            return self.postfix(self.array(token))
        if self.at_bracket("{"):
            return self.postfix(self.map(token))
        raise self.unexpected(token)

    def number(self, token: Token) -> int | float:
        text = token.value.replace("_", "")
        try:
            if "x" in text:
                number: int | float = int(text, 16)
            elif set(text) & set(".eE"):
                number = float(text)
            else:
                number = int(text)
        except ValueError:
            raise self.error(f"invalid number literal: {token.value}", token) from None
        if number > _MAX_INT if isinstance(number, int) else number == float("inf"):
            raise self.error(f"number literal out of range: {token.value}", token)
        return number

    def call(self, name: Token) -> Node:
        """A name, or a call if a parenthesis follows."""
        if not self.at_bracket("("):
            return IdentifierNode(name.value, position=name.position)
        if name.value in LOOPS:
            self.advance()
            collection = self.expression(0)
            self.expect_operator(",")
            return self.loop(name, collection)
        return self.named_call(name, self.arguments())

    def named_call(self, name: Token, arguments: list[Node]) -> Node:
        position = name.position
        if name.value in self.builtins:
            return BuiltinNode(name.value, arguments, position=position)
        return CallNode(IdentifierNode(name.value, position=position), arguments, position=position)

    def loop(self, name: Token, collection: Node) -> Node:
        """The closure and the closing parenthesis of a loop over *collection*."""
        arguments = [collection, self.closure()]
        if name.value == "reduce" and self.accept_operator(","):
            arguments.append(self.expression(0))
        self.expect_bracket(")")
        return BuiltinNode(name.value, arguments, position=name.position)

    def closure(self) -> Node:
        start = self.token
        braces = self.at_bracket("{")
        if braces:
            self.advance()
        self.loop_depth += 1
        body = self.expression(0)
        self.loop_depth -= 1
        if braces:
            self.expect_bracket("}")
        return ClosureNode(body, position=start.position)

    def pipe(self, left: Node) -> Node:
        """The call behind a ``|``, with *left* as its first argument."""
        name = self.expect_identifier()
        if name.value in LOOPS:
            self.expect_bracket("(")
            return self.loop(name, left)
        return self.named_call(name, [left, *self.arguments()])

    def arguments(self) -> list[Node]:
        self.expect_bracket("(")
        found: list[Node] = []
        while not self.at_bracket(")"):
            if found:
                self.expect_operator(",")
            found.append(self.expression(0))
        self.advance()
        return found

    def array(self, token: Token) -> Node:
        self.advance()
        elements: list[Node] = []
        while not self.at_bracket("]"):
            if elements:
                self.expect_operator(",")
                if self.at_bracket("]"):
                    break
            elements.append(self.expression(0))
        self.advance()
        return ArrayNode(elements, position=token.position)

    def map(self, token: Token) -> Node:
        self.advance()
        pairs: list[tuple[Node, Node]] = []
        while not self.at_bracket("}"):
            if pairs:
                self.expect_operator(",")
                if self.at_bracket("}"):
                    break
            key = self.map_key()
            self.expect_operator(":")
            pairs.append((key, self.expression(0)))
        self.advance()
        return MapNode(pairs, position=token.position)

    def map_key(self) -> Node:
        """A word, number or text stands for itself; anything else is in parentheses."""
        if self.token.kind in (Kind.NUMBER, Kind.STRING, Kind.IDENTIFIER):
            token = self.advance()
            return LiteralNode(token.value, position=token.position)
        if self.at_bracket("("):
            return self.expression(0)
        wanted = "a quoted string, a number, a name, or an expression in parentheses as map key"
        raise self.unexpected(self.token, wanted)

    def postfix(self, node: Node) -> Node:
        """The members, indexes, slices and method calls behind *node*."""
        while True:
            if self.at_operator(".") or self.at_operator("?."):
                node = self.member(node)
            elif self.at_bracket("["):
                node = self.subscript(node)
            else:
                return node

    def member(self, base: Node) -> Node:
        optional = self.advance().value == "?."
        name = self.token
        is_word = name.kind is Kind.OPERATOR and name.value.isalpha()
        if name.kind is not Kind.IDENTIFIER and not is_word:
            raise self.error(f"expected a name, found {name.describe()}", name)
        self.advance()
        in_chain = isinstance(base, ChainNode)
        if isinstance(base, ChainNode):
            base = base.node
        position = name.position
        member = LiteralNode(name.value, position=position)
        node: Node = MemberNode(base, member, optional, position=position)
        if self.at_bracket("("):
            node = CallNode(node, self.arguments(), position=position)
        return ChainNode(node, position=position) if in_chain or optional else node

    def subscript(self, base: Node) -> Node:
        position = self.advance().position
        start = None if self.at_operator(":") else self.expression(0)
        if start is not None and self.at_bracket("]"):
            self.advance()
            return MemberNode(base, start, position=position)
        if not self.accept_operator(":"):
            raise self.unexpected(self.token, "]")
        end = None if self.at_bracket("]") else self.expression(0)
        self.expect_bracket("]")
        return SliceNode(base, start, end, position=position)
