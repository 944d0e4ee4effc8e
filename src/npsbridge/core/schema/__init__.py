"""The JSON Schema of every call that is emitted, as it ships in the package.

One document (draft 2020-12) with a definition for each call and their `oneOf` at the top.
"""

import json
from importlib.resources import files
from typing import Any


def schema_text() -> str:
    """The schema document as it is printed by `npsbridge schema`."""
    return files(__name__).joinpath("calls.schema.json").read_text(encoding="utf-8")


def schema() -> dict[str, Any]:
    """The schema document, parsed."""
    document: dict[str, Any] = json.loads(schema_text())
    return document
