"""The channels of the flight log and what their JSON records hold, so that a viewer can plot them by name.

Every record may carry more than its schema names; a channel that is not named here is logged all the same.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
_NUMBER = {"type": ["number", "null"]}
_INTEGER = {"type": ["integer", "null"]}
_TEXT = {"type": ["string", "null"]}
_FLAG = {"type": ["boolean", "null"]}
_LIST = {"type": ["array", "null"]}
_OBJECT = {"type": ["object", "null"]}


def _schema(**properties: Any) -> Schema:
    return {"type": "object", "properties": properties}


SCHEMAS: dict[str, Schema] = {
    "frame": _schema(index=_INTEGER, source=_TEXT, exposed_t_ns=_INTEGER, dropped=_INTEGER),
    "pose": _schema(
        latitude_deg=_NUMBER, longitude_deg=_NUMBER, altitude_amsl_m=_NUMBER, height_takeoff_m=_NUMBER,
        heading_rad=_NUMBER,
    ),
    "match": _schema(keyframe=_INTEGER, similarity=_NUMBER, reranked=_FLAG),
    "fix": _schema(
        decision=_TEXT, aircraft=_OBJECT, ground=_OBJECT, sigma_m=_NUMBER, keyframe_id=_INTEGER, inliers=_INTEGER,
        verified=_INTEGER, reason=_TEXT, exposed_t_ns=_INTEGER,
    ),
    "estimate": _schema(position=_OBJECT, sigma_m=_NUMBER, trusted=_FLAG, source=_TEXT, reason=_TEXT),
    "guidance": _schema(state=_TEXT, phase=_TEXT, reasons=_LIST, distance_m=_NUMBER, position=_OBJECT, sigma_m=_NUMBER),
    "setpoint": _schema(
        latitude_deg=_NUMBER, longitude_deg=_NUMBER, altitude_amsl_m=_NUMBER, expires_t_ns=_INTEGER, reason=_TEXT,
        sent=_FLAG,
    ),
    "vehicle": _schema(event=_TEXT, t_ns=_INTEGER),
    "record": _schema(keyframe=_INTEGER, reason=_TEXT, exposed_t_ns=_INTEGER),
    "release": _schema(cause=_TEXT, hold=_FLAG),
    "control": _schema(request=_OBJECT, answer=_OBJECT),
    "error": _schema(stage=_TEXT, error=_TEXT),
    "log": _schema(degraded=_FLAG, reason=_TEXT, lost_records=_INTEGER),
}  # fmt: skip
ANY: Schema = {"type": "object"}


def schema_of(channel: str) -> Schema:
    """The channel's schema, or the one that admits any object."""
    return SCHEMAS.get(channel, ANY)
