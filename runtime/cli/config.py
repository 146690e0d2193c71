"""`homing config check|show`: whether a configuration is in order, and what is in force."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from runtime.camera.uri import without_secret
from runtime.cli.output import emit, say
from runtime.config.config import Config, load_config

config_app = typer.Typer(name="config", help="Whether a configuration is in order, and what is in force.")

FileOption = Annotated[Path, typer.Option("--config", help="The configuration, a TOML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@config_app.command()
def check(config: FileOption, as_json: JsonOption = False) -> None:
    """Say whether a configuration is in order, and what it lets the daemon do; nothing is opened."""
    settings = load_config(config)
    limits = settings.commanding.limits()
    answer: dict[str, Any] = {
        "config": str(config),
        "camera": without_secret(settings.camera.uri),
        "commanding": settings.commanding.enabled,
        "area_m2": None if limits is None else round(limits.area.about(limits.area.corners[0]).area),
        "navigation": settings.navigation.source,
        "injection": settings.injection.route,
    }
    if as_json:
        emit(answer)
        return
    say(f"{config}: in order")
    say(f"camera     {answer['camera']}")
    say("commands   " + ("off" if limits is None else f"within an area of {answer['area_m2'] / 1e4:.1f} ha"))
    say(f"position   {answer['navigation']}; fed to the autopilot: {answer['injection']}")


@config_app.command()
def show(
    config: FileOption,
    effective: Annotated[bool, typer.Option("--effective", help="Every key, with the defaults in force.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the keys that a configuration sets, as TOML; with --effective all that are in force."""
    settings = load_config(config)
    if as_json:
        emit(settings.model_dump(mode="json", exclude_unset=not effective))
        return
    for line in _toml(settings, effective):
        say(line)


def _toml(settings: Config, effective: bool) -> Iterator[str]:
    """Section by section; a key that the file does not set says that it is the default."""
    for name in Config.model_fields:
        section: BaseModel = getattr(settings, name)
        values: dict[str, Any] = section.model_dump(mode="json")
        keys = [key for key in values if effective or key in section.model_fields_set]
        if keys:
            yield f"[{name}]"
        for key in keys:
            note = "" if key in section.model_fields_set else "   # default"
            # What JSON and TOML write alike: texts, numbers, lists, true and false.
            yield f"# {key} is not set" if values[key] is None else f"{key} = {json.dumps(values[key])}{note}"
        if keys:
            yield ""
