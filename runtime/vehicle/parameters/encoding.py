"""How a parameter's value travels in MAVLink's one float32: cast by ArduPilot, byte for byte by PX4.

"Parameter protocol", MAV_PROTOCOL_CAPABILITY_PARAM_ENCODE_C_CAST and _BYTEWISE. An integer of PX4 may look like any
float, also like one that is none, so it is read from the bytes of the packet and not from the number made of them.
"""

from __future__ import annotations

import struct

from runtime.mavlink.dialect import mavlink

_V2 = 0xFD  # the first byte of a MAVLink 2 packet
_FORMATS = {  # MAV_PARAM_TYPE -> struct; 64-bit types do not fit into the message
    mavlink.MAV_PARAM_TYPE_UINT8: "<Bxxx",
    mavlink.MAV_PARAM_TYPE_INT8: "<bxxx",
    mavlink.MAV_PARAM_TYPE_UINT16: "<Hxx",
    mavlink.MAV_PARAM_TYPE_INT16: "<hxx",
    mavlink.MAV_PARAM_TYPE_UINT32: "<I",
    mavlink.MAV_PARAM_TYPE_INT32: "<i",
    mavlink.MAV_PARAM_TYPE_REAL32: "<f",
}


def wire_of(packet: bytes) -> bytes:
    """The first four bytes of a packet's payload, of which MAVLink 2 leaves trailing zeros out."""
    start = 10 if packet[0] == _V2 else 6
    return packet[start : start + min(4, packet[1])].ljust(4, b"\0")


def decoded(wire: bytes, kind: int, bytewise: bool) -> float | None:
    """The value of the 4 bytes ``wire`` of a parameter of type ``kind`` (MAV_PARAM_TYPE); None where it has none."""
    form = _FORMATS.get(kind) if bytewise else "<f"
    return None if form is None else float(struct.unpack(form, wire)[0])


def encoded(value: float, kind: int, bytewise: bool) -> bytes:
    """The 4 bytes that carry ``value``. Raises ValueError where they cannot."""
    form = _FORMATS.get(kind)
    if form is None:
        raise ValueError(f"a parameter of type {kind} does not fit into the message")
    whole = form != "<f"
    if whole and value != round(value):
        raise ValueError(f"{value:g} is no whole number")
    try:
        own = struct.pack(form, round(value) if whole else value)
        return own if bytewise else struct.pack("<f", value)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value:g} is too large for the parameter") from error
