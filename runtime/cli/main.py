"""`homing`: every command of the runtime, registered in one place."""

from __future__ import annotations

from typing import NoReturn

from runtime.cli.deferred import Deferred, program
from runtime.cli.entry import enter

NAME = "homing"
SUMMARY = "Visual navigation when GPS is gone: record a flight, find a place in it, go there."
# Each says of itself what its docstring says; tests/runtime/cli/test_deferred.py compares the two.
COMMANDS = (
    Deferred(
        "record",
        "runtime.cli.record:record",
        "Record a flight, or a map, into a history; adding to one that is there is fine.",
    ),
    Deferred(
        "locate",
        "runtime.cli.locate:locate",
        "Find targets in a history; exit status 3 where at least one was not found.",
    ),
    Deferred(
        "fix",
        "runtime.cli.fix:fix",
        "Say where each image was taken. GPS tags are not looked at, names and times only beside a log.",
    ),
    Deferred(
        "track",
        "runtime.cli.track:track",
        "Follow a recorded flight by its camera alone, and say how far it lies from its tags or telemetry.",
    ),
    Deferred(
        "run",
        "runtime.cli.run:run",
        "Fly: record, know where we are, and go where the operator points once the pilot grants it.",
    ),
    Deferred(
        "report",
        "runtime.cli.report:report",
        "Write the page of a flight from its log: errors, delays, every command with its cause, what was in force.",
    ),
    Deferred(
        "replay",
        "runtime.cli.replay:replay_command",
        "Put a logged flight through the daemon again and compare; exit status 3 where something changed.",
    ),
    Deferred(
        "target",
        "runtime.cli.control:target",
        "Give the daemon a target; it answers with the place that it found, for you to confirm.",
        {"context_settings": {"ignore_unknown_options": True}},  # a southern latitude begins with a minus sign
    ),
    Deferred(
        "confirm",
        "runtime.cli.control:confirm",
        "Confirm the target that waits; with --plan, the way to it is written for a ground station.",
    ),
    Deferred(
        "engage",
        "runtime.cli.control:engage",
        "Consent to one flight: the pilot's switch into the guided mode starts it, if it comes in time.",
    ),
    Deferred(
        "disengage",
        "runtime.cli.control:disengage",
        "Take the consent back; a vehicle that is under way is told once to hold where it is.",
    ),
    Deferred(
        "relocalise",
        "runtime.cli.control:relocalise",
        "Say where the aircraft is, roughly: the camera's place is given up, and found anew near there.",
        {"context_settings": {"ignore_unknown_options": True}},  # a southern latitude begins with a minus sign
    ),
    Deferred(
        "status",
        "runtime.cli.control:status",
        "Say where the daemon stands, and every reason why it does not command.",
    ),
    Deferred(
        "doctor",
        "runtime.cli.doctor:doctor",
        "Check what a flight needs, on this computer or on the autopilot; exit status 1 when something is wrong.",
    ),
    Deferred(
        "bench",
        "runtime.cli.bench:bench",
        "Measure the towers and a whole fix on this computer: percentiles, throughput, memory.",
    ),
    Deferred("mission", "runtime.cli.mission:mission_app", "Load, read and clear the vehicle's mission."),
    Deferred("calibrate", "runtime.cli.calibrate:calibrate_app", "The lens of a camera, its mount and its delay."),
    Deferred("config", "runtime.cli.config:config_app", "Whether a configuration is in order, and what is in force."),
    Deferred("history", "runtime.cli.history:history_app", "Look into a flight history."),
    Deferred("log", "runtime.cli.log:log_app", "Look into flight logs, mend them, keep them."),
    Deferred("bundle", "runtime.cli.bundle:bundle_app", "What is in a bundle, and whether to trust it."),
    Deferred("engine", "runtime.cli.engine:engine_app", "TensorRT engines, built on the GPU that flies."),
)

app = program(NAME, SUMMARY, COMMANDS)


def main(words: list[str] | None = None) -> NoReturn:
    """The console script; ``words`` stand in for those that it was started with."""
    enter(app, words)


if __name__ == "__main__":
    main()
