"""Which options of `homing record` and `homing track` go with which source: one that would be ignored is refused."""

from __future__ import annotations

import typer

from runtime.errors import UsageError

SOURCES = {"images": "--images", "map_file": "--map", "video": "--video", "bag": "--bag"}
_CAMERA = ("images", "video", "bag")
GO_WITH = {  # every option that is not for all of them, by its name in the program
    "recursive": ("images",),
    "tile_m": ("map_file",), "stride_m": ("map_file",), "max_tiles": ("map_file",),
    "heights": ("map_file",), "jobs": ("map_file",), "update": ("map_file",), "cluster": ("map_file",),
    "telemetry": _CAMERA, "vehicle": _CAMERA, "boot": _CAMERA, "time_offset_s": _CAMERA,
    "gps_order": ("video",), "rate_hz": ("video", "bag"), "image_topic": ("bag",), "camera": _CAMERA,
    "terrain": _CAMERA, "terrain_heights": _CAMERA,
    "camera_pitch_deg": _CAMERA, "hfov_deg": _CAMERA, "height_agl_m": _CAMERA, "heading_deg": _CAMERA,
}  # fmt: skip


def check_options(context: typer.Context) -> None:
    """Refuses a call without one source, or with an option that the source has no use for.

    Raises:
        UsageError: it says which option, and what it is for.
    """
    sources = {name: option for name, option in SOURCES.items() if name in context.params}  # of this command
    given = [name for name in sources if context.params[name] is not None]
    if len(given) != 1:
        raise UsageError(f"Give one of {_listed(list(sources.values()))}.")
    (source,) = given
    useless = [
        f"{option.opts[0]} (for {_listed([sources[name] for name in GO_WITH[option.name] if name in sources])})"
        for option in context.command.params
        if option.name in GO_WITH
        and source not in GO_WITH[option.name]
        and _given(context, option.name)
    ]
    if useless:
        raise UsageError(f"With {sources[source]}, leave out {' and '.join(useless)}.")


def _listed(options: list[str]) -> str:
    *others, last = options
    return f"{', '.join(others)} and {last}" if others else last


def _given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")
