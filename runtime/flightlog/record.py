"""What every record of the flight log has: a channel, its JSON, and the schema of that, made from its fields.

NaN and infinity, which JSON has not, become null; bytes become base64 of the URL-safe alphabet.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter


class Record:
    """Base of all records; ``channel`` is the topic that it is logged under."""

    __slots__ = ()
    channel: ClassVar[str]
    __pydantic_config__: ClassVar[Any] = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="null"
    )

    def encoded(self) -> bytes:
        """Compact JSON.

        Raises:
            ValueError: a value has no place in JSON.
        """
        adapter = _adapter(type(self))
        try:
            return adapter.serializer.to_json(self, warnings=False)  # what its dump_json calls, a microsecond later
        except ValueError:  # a file's name that is not UTF-8 holds lone surrogates, which JSON can only escape
            plain = adapter.dump_python(self, mode="json", warnings=False)
            return json.dumps(plain, separators=(",", ":")).encode()

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The JSON schema of what `encoded` gives."""
        return _adapter(cls).json_schema(mode="serialization")


_ADAPTERS: dict[type[Record], TypeAdapter[Any]] = {}


def _adapter(kind: type[Record]) -> TypeAdapter[Any]:
    """Made once for each kind of record: making one takes a millisecond, using it a microsecond."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
