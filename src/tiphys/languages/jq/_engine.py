"""The jq engine inside a worker process: libjq, with compiled programs kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

import jq
import orjson

from tiphys.languages._errors import EvaluationError
from tiphys.languages._workers.documents import read, read_exact, read_object, write
from tiphys.languages._workers.protocol import Operation

__all__ = ["Engine"]

_PROGRAMS_KEPT: Final = 256
_MOST_OUTPUTS: Final = 100
_NOT_AN_OBJECT: Final = "jq transformation output must be a JSON object"
_MISSING: Final = object()
_MARK: Final = {"\0null": True}
_NO_OUTPUT: Final = "no output available from the jq command execution"


class Engine:
    """Runs translated programs."""

    def __init__(self) -> None:
        self._programs: OrderedDict[bytes, Any] = OrderedDict()
        self.evaluate(Operation.JQ_OUTPUTS, b'"a" | test("a") | tojson', b"{}")

    def evaluate(self, operation: Operation, program: bytes, data: bytes) -> bytes:
        """
        Run *program*, a translated one, on the JSON in *data*.

        A transformation answers the first output, JQ_OUTPUTS the first hundred, one a line.
        """
        if operation is Operation.JQ_TRANSFORM:
            return self._transform(program, data)
        return b"\n".join(write(output) for output in self._outputs(program, read(data)))

    def _transform(self, program: bytes, data: bytes) -> bytes:
        value = read_object(data)
        output = self._object(program, {} if value is None else value)
        if value is None:
            # null is an object without members that prints as null as long as nobody adds one
            output = _null_where_marked(output, self._object(program, _MARK))
        return write(output)

    def _object(self, program: bytes, value: dict[str, Any]) -> Any:
        try:
            output = next(iter(self._outputs(program, value)), _MISSING)
        except EvaluationError as error:
            raise EvaluationError(f"{_NOT_AN_OBJECT}: {error}") from None
        if output is _MISSING:
            raise EvaluationError(_NO_OUTPUT)
        if not isinstance(output, dict):
            raise EvaluationError(_NOT_AN_OBJECT)
        return output

    def _outputs(self, program: bytes, value: Any) -> Iterator[Any]:
        """What the program puts out, decoded; raises EvaluationError when it fails."""
        source = self._compiled(program).input_text(orjson.dumps(value).decode())
        outputs = iter(source)
        for _ in range(_MOST_OUTPUTS):
            try:
                text = next(outputs)
            except StopIteration:
                return
            except ValueError as error:
                raise EvaluationError(str(error)) from None
            yield read_exact(text)

    def _compiled(self, program: bytes) -> Any:
        compiled = self._programs.get(program)
        if compiled is None:
            try:
                compiled = jq.compile(program.decode())
            except ValueError as error:
                raise EvaluationError(str(error)) from None
            self._programs[program] = compiled
            if len(self._programs) > _PROGRAMS_KEPT:
                self._programs.popitem(last=False)
        else:
            self._programs.move_to_end(program)
        return compiled


def _null_where_marked(plain: Any, marked: Any) -> Any:
    """*plain* with null for each empty object that stands where *marked* has the mark."""
    if plain == {} and marked == _MARK:
        return None
    if isinstance(plain, dict) and isinstance(marked, dict):
        return {key: _null_where_marked(value, marked.get(key)) for key, value in plain.items()}
    return plain
