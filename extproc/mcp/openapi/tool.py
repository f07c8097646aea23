"""An operation as a tool that can be called: its schemas are compiled when it is first used."""

from __future__ import annotations

from gateway.json_schemas import Schema
from gateway.openapi.values import Operation

_MOST_FAULTS = 5


class Tool:
    """Checks arguments and answers of one operation."""

    __slots__ = ("_input", "_output", "operation")

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._input: Schema | None = None
        self._output: Schema | None = None

    def input_faults(self, arguments: str) -> tuple[str, ...]:
        """What is wrong with the arguments, as JSON; with what they say, for who said it."""
        if self._input is None:
            self._input = Schema.of(self.operation.input_schema)
        return self._input.faults(arguments, _MOST_FAULTS)

    def output_fault(self, content: str) -> str | None:
        """What of the structured content is not as the document says."""
        if not self.operation.output_schema:
            return None
        if self._output is None:
            self._output = Schema.of(self.operation.output_schema)
        return self._output.fault(content)
