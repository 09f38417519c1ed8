"""Parts of the OpenAPI schema that several routes share: bodies and errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def request_body(fields: type[BaseModel], multipart: dict[str, Any], json: dict[str, Any]) -> dict[str, Any]:
    """Describe a body that is either multipart or JSON.

    Args:
        fields: the fields of both forms.
        multipart, json: further properties of each form.
    """
    schema = fields.model_json_schema()
    properties = schema["properties"]
    common = {"type": "object", "additionalProperties": False}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": {**common, "properties": {**multipart, **properties}}},
            "application/json": {"schema": {**common, "properties": {**json, **properties}}},
        },
    }


BINARY = {"type": "string", "format": "binary"}
BASE64 = {"type": "string", "format": "byte", "contentEncoding": "base64"}
PROBLEM = {
    "description": "An error, as RFC 9457 problem details.",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "instance": {"type": "string"},
                    "errors": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
            "example": {
                "type": "urn:bshm:problem:unreadable-picture",
                "title": "The picture cannot be read",
                "status": 422,
                "detail": "the picture is empty: 0 bytes. Copy or download it again.",
                "instance": "urn:bshm:request:5f2c9d0e7a1b4c33",
            },
        }
    },
}
PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": PROBLEM, "501": PROBLEM, "503": PROBLEM, "504": PROBLEM}
