"""`homing target|confirm|engage|disengage|relocalise|status`: the operator's words to a running daemon."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.cli.output import emit, say
from runtime.control.client import ask, default_socket
from runtime.errors import UsageError

_POSITION = re.compile(r"\s*([-+]?\d+(?:\.\d*)?)\s*,\s*([-+]?\d+(?:\.\d*)?)\s*")
_PLACE = "A target image, a position in degrees, or a .kml, .geojson or .plan that holds one point."
_NEAR = "A position in degrees, or a .kml, .geojson or .plan that holds one point."
_ASK_WITHIN_S = 120.0  # a target may be located over a large history on a small computer

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The daemon's configuration file.")]
SocketOption = Annotated[Path | None, typer.Option("--socket", help="The daemon's control socket.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def target(
    place: Annotated[str, typer.Argument(metavar="IMAGE|LAT,LON|FILE", help=_PLACE)],
    target_gsd: Annotated[float | None, typer.Option(help="Metres per pixel of a plain picture.")] = None,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give the daemon a target; it answers with the place that it found, for you to confirm."""
    answer = _asked(_target_request(place, target_gsd), config, socket)
    if as_json:
        emit(answer)
    else:
        _say_target(answer)
    if not answer["confirmable"]:
        raise typer.Exit(3)


def confirm(
    target_id: Annotated[str | None, typer.Argument(help="The target's id, as `homing target` showed it.")] = None,
    plan: Annotated[Path | None, typer.Option(help="Write the way there: a .plan or a .waypoints file.")] = None,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Confirm the target that waits; with --plan, the way to it is written for a ground station."""
    if plan is not None:
        from runtime.mission.files import check_suffix  # knows the vehicle: only where a way is asked for

        check_suffix(plan)
    answer = _asked({"command": "confirm", "target_id": target_id}, config, socket)
    if plan is not None:
        from runtime.cli.way import write_way

        write_way(_asked({"command": "status"}, config, socket), plan)
    if as_json:
        emit(answer)
        return
    say(f"confirmed {answer['confirmed']}: {answer['target']} at {_place(answer['place'])}")


def engage(config: ConfigOption = None, socket: SocketOption = None, as_json: JsonOption = False) -> None:
    """Consent to one flight: the pilot's switch into the guided mode starts it, if it comes in time.

    How long that is, guidance.consent_s of the configuration says. No mode is switched here.
    """
    answer = _asked({"command": "engage"}, config, socket)
    left = _duration(answer["consent_left_s"])
    _tell(answer, f"engaged: for {left} the pilot's switch into the guided mode starts the flight", as_json)


def disengage(config: ConfigOption = None, socket: SocketOption = None, as_json: JsonOption = False) -> None:
    """Take the consent back; a vehicle that is under way is told once to hold where it is."""
    _tell(_asked({"command": "disengage"}, config, socket), "disengaged", as_json)


def relocalise(
    place: Annotated[str, typer.Argument(metavar="LAT,LON|FILE", help=_NEAR)],
    radius: Annotated[float, typer.Option(help="How far from there it may be, in metres.")] = 200.0,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where the aircraft is, roughly: the camera's place is given up, and found anew near there.

    It is no position: fixes near there have to agree on one. Refused in flight, and while the autopilot flies on the
    camera's position.
    """
    position = _position_of(place)
    if position is None:
        raise UsageError(f"{place} is no position; give LAT,LON in degrees, or a file that holds one point.")
    answer = _asked({"command": "relocalise", **position, "radius_m": radius}, config, socket)
    _tell(answer, f"looks for its place anew, within {answer['radius_m']:g} m of {_place(answer['near'])}", as_json)


def status(config: ConfigOption = None, socket: SocketOption = None, as_json: JsonOption = False) -> None:
    """Say where the daemon stands, and every reason why it does not command."""
    answer = _asked({"command": "status"}, config, socket)
    if as_json:
        emit(answer)
        return
    for line in _status_lines(answer):
        say(line)


def _asked(request: dict[str, Any], config: Path | None, socket: Path | None) -> dict[str, Any]:
    answer = ask(socket or _socket_of(config), request, _ASK_WITHIN_S)
    return {name: value for name, value in answer.items() if name != "schema"}


def _socket_of(config: Path | None) -> Path:
    if config is None:
        return default_socket()
    from runtime.config.config import load_config  # knows every room of the daemon: only where a file is given

    return load_config(config).control.socket


def _target_request(place: str, gsd_m: float | None) -> dict[str, Any]:
    position = _position_of(place)
    if position is None:  # the daemon may run in another folder than the operator's shell
        return {"command": "target", "image": str(Path(place).resolve()), "target_gsd_m": gsd_m}
    if gsd_m is not None:
        raise UsageError("a position has no scale; give --target-gsd with an image only.")
    return {"command": "target", **position}


def _position_of(place: str) -> dict[str, float] | None:
    """What is written as one, or drawn in a file; None of anything else."""
    from runtime.sources.drawing import is_drawing, the_point  # knows shapes and XML: only where a place is given

    written = _POSITION.fullmatch(place)
    if written is not None:
        latitude, longitude = map(float, written.groups())
    elif is_drawing(Path(place)):
        _, point = the_point(Path(place))
        latitude, longitude = point.latitude_deg, point.longitude_deg
    else:
        return None
    return {"latitude_deg": latitude, "longitude_deg": longitude}


def _tell(answer: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        emit(answer)
    else:
        say(sentence)


def _say_target(answer: dict[str, Any]) -> None:
    if answer["confirmable"]:
        say(f"{answer['target_id']}: {answer['target']} is at {_place(answer['place'])}; confirm it with")
        say(f"    homing confirm {answer['target_id']}")
    else:
        say(f"{answer['target']}: no place accepted: {answer['reason']}")
    for candidate in answer["candidates"]:
        say(f"  keyframe {candidate['keyframe']}: {_place(candidate)}, similarity {candidate['similarity']:.3f}")


def _status_lines(answer: dict[str, Any]) -> list[str]:
    fix, vehicle = answer["fix"], answer["vehicle"]
    armed = "armed" if vehicle["armed"] else "disarmed"
    seen = "none" if fix is None else f"{fix['age_s']:.1f} s ago, {_metres(fix['difference_m'])} from the autopilot"
    return [
        f"state     {answer['state']} {answer['phase']}" + (" (dry run)" if answer["dry_run"] else ""),
        f"consent   {_consent(answer)}",
        f"reasons   {', '.join(answer['reasons']) or 'none'}",
        *([f"waived    {', '.join(answer['waived'])}"] if answer.get("waived") else []),
        f"vehicle   {vehicle['stack'] or 'silent'} {vehicle['mode'] or ''} {armed}",
        f"target    {_place(answer['target'])}, {_metres(answer['distance_m'])} away{_corners(answer.get('route'))}",
        f"estimate  {_place(answer['estimate']['position'])} ({answer['estimate']['source'] or 'none'})",
        *_navigation_lines(answer.get("navigation")),
        *_injection_lines(answer.get("injection")),
        f"last fix  {seen}",
        f"frames    {answer['camera']}, {answer['counts'].get('frames', 0)}",
        *([f"          {answer['camera_error']}"] if answer.get("camera_error") else []),
        *_engine_lines(answer.get("engine")),
        f"recording {'yes' if answer['recording'] else 'no'}, {answer['counts'].get('keyframes', 0)} keyframes",
        *([f"          {answer['recording_failed']}"] if answer.get("recording_failed") else []),
        *_log_lines(answer.get("log")),
    ]


def _corners(route: list[dict[str, float]] | None) -> str:
    """How a way leads there that is not straight."""
    return f", over {len(route) - 1} corners" if route is not None and len(route) > 1 else ""


def _navigation_lines(navigation: dict[str, Any] | None) -> list[str]:
    if navigation is None:
        return []
    by_sight, left_s = navigation["vision"], navigation["coast_left_s"]
    left = "" if left_s is None else f", {left_s:.0f} s left without a fix"
    known = f"to {_metres(by_sight['sigma_m'])}{left}" if by_sight["trusted"] else by_sight["reason"]
    alarm = navigation["alarm"]
    return [
        f"camera    {by_sight['state']}, {known}",
        f"gps       {navigation['gps']}" + (f": {alarm['reason']}" if alarm else ""),
    ]


def _injection_lines(injection: dict[str, Any] | None) -> list[str]:
    if injection is None or injection["state"] == "off":
        return []
    why = f": {', '.join(injection['reasons'])}" if injection["reasons"] else ""
    return [f"aiding    {injection['route']} {injection['state']}{why}"]


def _log_lines(log: dict[str, Any] | None) -> list[str]:
    if log is None or not log["degraded"]:
        return []
    why = f": {log['reason']}" if log["reason"] else ""
    frames = f" and {log['lost_frames']} frames" if log.get("lost_frames") else ""
    return [f"warning   the flight log has lost {log['lost_records']} records{frames}{why}"]


def _engine_lines(engine: dict[str, Any] | None) -> list[str]:
    if engine is None:
        return []
    runs = f"engine    {engine['precision']} on {engine['backend']}, parity {engine['parity']:.6f}"
    return [runs, *(f"warning   {warning}" for warning in engine["warnings"])]


def _consent(answer: dict[str, Any]) -> str:
    left_s = answer["consent_left_s"]
    if left_s is not None:
        return f"ends in {_duration(left_s)} unless the pilot switches into the guided mode"
    if answer["state"] == "engaged":
        return "given for this flight, which runs"
    missing = "engage" if answer["target"] is not None else "confirm` a target and `homing engage"
    return f"none: `homing {missing}`"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "this flight"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _place(place: dict[str, Any] | None) -> str:
    return "none" if place is None else f"{place['latitude_deg']:.7f},{place['longitude_deg']:.7f}"


def _metres(distance_m: float | None) -> str:
    return "unknown" if distance_m is None else f"{distance_m:.1f} m"
