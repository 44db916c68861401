"""Assignments, to one target or to several at once."""

from __future__ import annotations

from tiphys.languages.lua._code import Code, Piece, commas
from tiphys.languages.lua._expressions import ExpressionTranslator
from tiphys.languages.lua._tokens import fault

__all__ = ["AssignmentTranslator"]


class AssignmentTranslator(ExpressionTranslator):
    """Reads the statements that begin with an expression."""

    def _assignment_or_call(self) -> list[Piece]:
        code = self._suffixed()
        if self._token.kind not in ("=", ","):
            if code.kind != "call":
                raise fault("parse error", self._script, self._token)
            return code.pieces
        targets = [self._target(code)]
        while self._accept(","):
            targets.append(self._target(self._suffixed()))
        self._expect("=")
        values = self._expressions()
        if len(targets) == 1 and len(values) == 1:
            return self._store(targets[0], values[0])
        if all(target.kind == "name" and not self._is_local(target) for target in targets):
            return [*commas(targets), (values[0].line, " = "), *commas(values)]
        return self._store_many(targets, values)

    def _target(self, code: Code) -> Code:
        if code.kind not in ("name", "index"):
            raise self._unexpected("expected a call or an assignment")
        return code

    def _is_local(self, target: Code) -> bool:
        return target.kind == "name" and self._block.is_local(_variable(target))

    def _store(self, target: Code, value: Code) -> list[Piece]:
        if target.target is None:
            return [*target.pieces, (value.line, " = "), *value.pieces]
        table, key = target.target
        if key.kind == "string" and not (self._keeps_order or self._explains_errors):
            line = key.pieces[-1][0]
            place = [*table.pieces, (key.line, "["), *key.pieces, (line, "]")]
            return [*place, (value.line, " = "), *value.pieces]
        return self._call("store", table.line, commas((table.single(), key, value))).pieces

    def _store_many(self, targets: list[Code], values: list[Code]) -> list[Piece]:
        """
        Assign to several targets as the original does.

        What tables are indexed by is read first.  A local variable gets its value as soon as that
        is known, so that ``a, b = b, a`` does not swap two of them; all else is written last,
        from right to left.
        """
        places, writes = self._places(targets)
        pieces: list[Piece] = [(targets[0].line, "do "), *places]
        names = [f"{self._prefix}_v{number}" for number in range(len(targets))]
        for number, value in enumerate(values):
            if number >= len(targets):
                holder = f"local {self._prefix}_"  # only computed
            elif value.many and number == len(values) - 1:
                holder = f"local {', '.join(names[number:])}"
            elif self._is_local(targets[number]):
                holder, writes[number] = _variable(targets[number]), ""
            else:
                holder = f"local {names[number]}"
            end = value.pieces[-1][0]
            pieces += [(value.line, f"{holder} = "), *value.pieces, (end, "; ")]
        missing = [] if values[-1].many else names[len(values) :]
        ending = f"local {', '.join(missing)}; " if missing else ""
        ending += "".join(f"{write}; " for write in reversed(writes) if write)
        return [*pieces, (pieces[-1][0], f"{ending}end")]

    def _places(self, targets: list[Code]) -> tuple[list[Piece], list[str]]:
        """What the indexed targets are, in variables of ours; and how each target is written."""
        prefix = self._prefix
        pieces: list[Piece] = []
        writes: list[str] = []
        for number, target in enumerate(targets):
            if target.target is None:
                writes.append(f"{_variable(target)} = {prefix}_v{number}")
                continue
            table, key = target.target
            place = f"{prefix}_o{number}, {prefix}_k{number}"
            pieces += [(table.line, f"local {place} = "), *commas((table.single(), key))]
            pieces.append((key.line, "; "))
            writes.append(f"{self._helper('store')}({place}, {prefix}_v{number})")
        return pieces, writes


def _variable(code: Code) -> str:
    """The text of a name."""
    return "".join(text for _, text in code.pieces if isinstance(text, str))
