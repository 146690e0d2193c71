"""An XMP packet as texts by maker and name, written as attributes, elements or structures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

_MOST_BYTES = 4 << 20  # of a packet; more is no description of a photo
_MOST_NESTED = 32  # elements within elements: makers write five


class Namespace(str, Enum):
    """Whose names a field's are, by what their address holds; the first that fits."""

    PIX4D = "pix4d"  # the Camera namespace, also written by Autel, Parrot, senseFly, Sentera, MicaSense and FLIR
    SKYDIO = "skydio"
    PARROT = "parrot"
    AUTEL = "autel"
    DJI = "dji"
    DRONE = "drone"  # Autel's older models: DJI's names under a name of their own
    EXIF = "adobe.com/exif/1.0"


Fields = Mapping[tuple[Namespace, str], str]


def fields_of(block: bytes | str | None) -> Fields:
    """The makers' fields of a packet, a structure's as ``Outer/Inner``; none where it is no XMP."""
    if not block or len(block) > _MOST_BYTES:
        return {}
    text = block.strip(b" \x00\n\r\t") if isinstance(block, bytes) else block.strip()
    try:
        root = fromstring(text)
    except (ParseError, DefusedXmlException, ValueError, LookupError):  # LookupError: an encoding that nobody knows
        return {}
    found: dict[tuple[Namespace, str], str] = {}
    _gather(root, "", 0, found)
    return found


def number(fields: Fields, namespace: Namespace, *names: str) -> float | None:
    """The first of these fields that is a finite number; fractions like ``66040/1000`` too."""
    for name in names:
        numerator, _, denominator = fields.get((namespace, name), "").strip().partition("/")
        try:
            value = float(numerator) / float(denominator or 1)
        except (ValueError, ZeroDivisionError):
            continue
        if math.isfinite(value):
            return value
    return None


def _gather(element: Element, path: str, depth: int, found: dict[tuple[Namespace, str], str]) -> None:
    """The fields of an element's attributes and children, which lie in the structure ``path``."""
    for name, text in element.attrib.items():
        _keep(name, text, path, found)
    if depth == _MOST_NESTED:
        return
    for child in element:
        local = _keep(child.tag, child.text or "", path, found)
        _gather(child, f"{path}{local}/" if local else path, depth + 1, found)


def _keep(name: str, text: str, path: str, found: dict[tuple[Namespace, str], str]) -> str:
    """Keeps a maker's field; its name, or nothing where it is no maker's."""
    namespace, local = _split(name)
    if namespace is None:
        return ""
    if text.strip():
        found.setdefault((namespace, path + local), text.strip())
    return local


def _split(name: str) -> tuple[Namespace | None, str]:
    address, _, local = name.rpartition("}")
    address = address.lower()
    return next((one for one in Namespace if one.value in address), None), local
