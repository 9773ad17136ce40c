"""The JSON Schema of a policy file, for editors."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from runner.model.policy import Policy
from runner.model.quantities import Bytes, Seconds, format_duration, format_size


class _InHumanUnits(GenerateJsonSchema):
    """Shows the defaults of sizes and durations as a file would write them."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, Bytes):
            return format_size(dft)
        return format_duration(dft) if isinstance(dft, Seconds) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, for editors; it knows `extends` too, which is gone once a file is loaded."""
    schema = Policy.model_json_schema(schema_generator=_InHumanUnits)
    extends = {"type": "string", "title": "Extends", "description": "A shipped preset's name, or a policy file."}
    properties = {"description": schema["properties"].pop("description"), "extends": extends, **schema["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Paddock policy",
        "properties": properties,
    }
