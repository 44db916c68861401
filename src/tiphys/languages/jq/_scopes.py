"""What names mean at a place in a program, and what they are called in its translation."""

from __future__ import annotations

import dataclasses

__all__ = ["Scope"]


@dataclasses.dataclass(frozen=True)
class Scope:
    """
    Functions by name and arity, variables and labels; a new one for every binding.

    Names of the program get a prefix in the translation, so that none of them meets a word or
    a function of the engine.
    """

    functions: dict[tuple[str, int], str] = dataclasses.field(default_factory=dict)
    variables: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()

    def with_function(self, name: str, arity: int) -> Scope:
        """The same with a function."""
        functions = {**self.functions, (name, arity): f"f_{name}"}
        return dataclasses.replace(self, functions=functions)

    def with_parameters(self, parameters: list[str]) -> Scope:
        """The same inside a function; ``$x`` is a variable and a function at once."""
        functions = dict(self.functions)
        variables = set(self.variables)
        for parameter in parameters:
            name = parameter.removeprefix("$")
            functions[name, 0] = f"v_{name}" if parameter.startswith("$") else f"f_{name}"
            if parameter.startswith("$"):
                variables.add(name)
        return dataclasses.replace(self, functions=functions, variables=frozenset(variables))

    def with_variables(self, names: set[str]) -> Scope:
        """The same with variables."""
        return dataclasses.replace(self, variables=self.variables | names)

    def with_label(self, name: str) -> Scope:
        """The same with a label to break out to."""
        return dataclasses.replace(self, labels=self.labels | {name})
