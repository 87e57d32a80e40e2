"""Values that fit a JSON schema: what is known is taken from a table by name, what is required besides is made up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills the schemas of one document. `root` is where its `$ref` point into."""

    root: Schema

    def object(self, schema: Schema, known: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
        """An object with all that is known and has a place in it, and all that is required."""
        schema = self.resolved(schema)
        required = schema.get("required", ())
        filled: dict[str, Any] = {}
        for name, part in (schema.get("properties") or {}).items():
            if name in known and self._suits(known[name], part):
                filled[name] = self._fitted(known[name], part, depth)
            elif name in required:
                filled[name] = self._made_up(name, part, depth)
        return filled

    def resolved(self, schema: Schema) -> Schema:
        """The schema behind `$ref`, and behind the first of several that is not null."""
        for _ in range(MAX_DEPTH):
            if "$ref" in schema:
                schema = self._behind(str(schema["$ref"]))
            elif options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
                schema = next((each for each in options if each.get("type") != "null"), options[0])
            else:
                break
        return schema

    def _behind(self, ref: str) -> Schema:
        found: Any = self.root
        for step in ref.removeprefix("#/").split("/"):
            found = found[step]
        return found

    def _suits(self, value: Any, schema: Schema) -> bool:
        options = schema.get("anyOf") or schema.get("oneOf")
        if options:
            return any(self._suits(value, each) for each in options)
        schema = self.resolved(schema)
        if literals := _literals(schema):
            return value in literals
        kind = _KINDS.get(str(schema.get("type")), object)
        suits = isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool and kind is not object)
        if suits and isinstance(value, list) and "items" in schema:
            return all(self._suits(each, schema["items"]) for each in value)
        return suits

    def _fitted(self, value: Any, schema: Schema, depth: int) -> Any:
        """A known value, with what its objects lack and without what they may not have."""
        schema = self.resolved(schema)
        if isinstance(value, dict) and schema.get("properties"):
            return self.object(schema, value, depth + 1)
        if isinstance(value, list) and "items" in schema:
            return [self._fitted(each, schema["items"], depth + 1) for each in value]
        return value

    def _made_up(self, name: str, schema: Schema, depth: int) -> Any:
        schema = self.resolved(schema)
        if literals := _literals(schema):
            return literals[0]
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if kind == "object":
            return self.object(schema, {}, depth + 1) if depth < MAX_DEPTH else {}
        if kind == "array":
            few = range(min(int(schema.get("minItems", 0)), 3))
            return [self._made_up(name, schema.get("items", {}), depth + 1) for _ in few]
        plain = {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 0.5), "boolean": False}
        return None if kind == "null" else plain.get(str(kind), f"simulated {name}")


def _literals(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))
