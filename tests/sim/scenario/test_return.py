"""A third of the scenario, whole: it passes, it is judged on the wire, and a daemon without its latch fails."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.events import ControlRequest, FrameArrived, LinkData, Tick
from runtime.geodesy import north_east_m
from runtime.rotations import rotation
from runtime.values import GeoPoint
from sim.camera import SimulatedCamera, default_camera
from sim.flight import CameraRig, Companion, SimulatedFlight
from sim.scenario.conditions import Conditions
from sim.scenario.crew import until
from sim.scenario.denied import FROM_START, fly_without_gps
from sim.scenario.interference import fly_interrupted
from sim.scenario.mutants import AuthorityWithoutLatch
from sim.scenario.outcome import Outcome, Recording
from sim.scenario.plan import Point
from sim.scenario.questions import Question
from sim.scenario.return_home import fly_return
from sim.scenario.setup import RunOptions, SimulatedRun, Site, make_autopilot, make_run
from sim.scenario.sight_outcome import SightOutcome
from sim.scenario.sight_report import write_sight_report
from sim.scenario.spoofed import fly_forged
from sim.world.world import World
from tests.sim.listener import Listener

pytestmark = pytest.mark.slow

SEED, SIDE_M = 100_017, 440.0  # room for a third of the survey, and for places far from it
PERIOD_NS = 3_000_000_000  # of the survey's frames: a quarter of a view further on
RETURN_PERIOD_NS = 1_000_000_000  # of the return's: as often as a fix is made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site.prepare(World.generate(SEED, SIDE_M), SEED, tmp_path_factory.mktemp("return"), small=True)


class Kept:
    """A launcher that keeps its runs, for what went over the wire."""

    def __init__(self) -> None:
        self.runs: dict[str, SimulatedRun] = {}

    def meeting(self, conditions: Conditions) -> Kept:
        return self

    def launch(self, site: Site, name: str, record: bool, airborne: Point | None = None) -> SimulatedRun:
        self.runs[name] = make_run(site, name, RunOptions(), record, airborne)
        return self.runs[name]


@pytest.fixture(scope="module")
def kept() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def flown(site: Site, kept: Kept) -> tuple[Outcome, Recording]:
    return fly_return(site, lambda text: None, kept, survey_period_ns=PERIOD_NS, return_period_ns=RETURN_PERIOD_NS)


@pytest.fixture(scope="module")
def question(flown: tuple[Outcome, Recording]) -> Question:
    chosen = flown[1].chosen
    assert chosen is not None, "no target was accepted"
    return chosen.question


def test_it_finds_the_place_flies_there_and_knows_it(flown: tuple[Outcome, Recording]) -> None:
    outcome, _ = flown
    assert outcome.arrival_error_m is not None and outcome.arrival_error_m < 10.0
    assert outcome.arrival_confirmed
    errors = [reply.error_m for reply in outcome.replies if reply.error_m is not None]
    assert errors and max(errors) < 15.0
    assert outcome.outside_accepted <= 1
    assert outcome.commands_without_authority == 0
    assert {leg.name: leg.obeyed for leg in outcome.legs} == dict.fromkeys(
        ["return", "pilot_takes_over", "ground_station_goes_elsewhere", "daemon_restarts"], True
    )
    assert all(leg.commands > 0 for leg in outcome.legs)


def test_every_position_target_on_the_wire_is_reported_the_last_words_too(
    flown: tuple[Outcome, Recording], kept: Kept
) -> None:
    for leg in flown[0].legs:
        said = mavlink.MAVLink(None).parse_buffer(bytes(kept.runs[leg.name].flight.wire)) or []
        targets = [message for message in said if message.get_type() == "SET_POSITION_TARGET_GLOBAL_INT"]
        assert leg.commands == len(targets) > 0, leg.name
        assert len(flown[1].commands[leg.name]) == leg.commands


@pytest.mark.long
def test_without_any_gps_it_finds_where_it_is_and_flies_by_sight(site: Site, flown: tuple[Outcome, Recording]) -> None:
    """Over the ground that ``flown`` recorded; the built-in autopilot has no receiver, and is fed."""
    outcome, recording = fly_without_gps(FROM_START, site, lambda text: None)
    checks = outcome.checks()
    assert outcome.commands_without_authority == 0
    assert checks["arrived_within_5_m"] and checks["first_fix_within_10_s"], outcome.as_json(0.0, Path("report"))
    assert checks["camera_never_confidently_wrong"]
    accuracy = outcome.accuracy
    assert accuracy.frames > 100 and accuracy.tracking_share is not None and accuracy.tracking_share > 0.8
    write_sight_report(site.out / "sight.html", site, outcome, recording, 12.0)
    assert "denied-from-start" in (site.out / "sight.html").read_text()
    assert (site.out / "sight_denied-from-start.png").stat().st_size > 50_000


@pytest.mark.long
def test_gps_that_is_dragged_away_is_noticed_and_nothing_is_commanded_afterwards(
    site: Site, flown: tuple[Outcome, Recording], question: Question
) -> None:
    outcome = SightOutcome(scenario="spoofed", max_arrival_error_m=None)
    fly_forged(site, RunOptions(), [question], "drag", 2.0, outcome, Recording({}))
    alarm = outcome.forged["drag"]
    assert alarm is not None and 0.0 < alarm.offset_m < 20.0
    assert outcome.false_alarms == outcome.commands_after_alarm == 0
    assert [leg.obeyed for leg in outcome.legs] == [True]


@pytest.mark.long
def test_a_daemon_that_ignores_its_latch_fails(site: Site, question: Question) -> None:
    outcome = Outcome()
    options = RunOptions(make_authority=AuthorityWithoutLatch)
    fly_interrupted(site, lambda text: None, options, question, outcome, Recording({}))
    assert not outcome.passed
    assert not outcome.checks()["no_command_without_authority"]
    assert [leg.name for leg in outcome.legs if leg.obeyed] == []


def test_one_seed_gives_one_command_log(site: Site, question: Question) -> None:
    wires = []
    for _ in range(2):
        run = make_run(site, "again", RunOptions(), record=False, airborne=site.plan.far_side)
        run.flight.rig.period_ns = 2_000_000_000
        run.flight.run(until(lambda flight=run.flight: flight.autopilot.armed), 10.0)
        run.flight.fly(3.0)
        run.flight.ask({"command": "target", "image": str(question.path), "target_gsd_m": 0.3})
        for command in ("confirm", "engage"):
            run.flight.ask({"command": command})
        run.flight.fly(1.0)
        run.flight.autopilot.pilot_set_mode("GUIDED")
        run.flight.fly(4.0)
        wires.append(bytes(run.flight.wire))
        run.close()
    assert wires[0] == wires[1]
    assert b"\xfd" in wires[0] and len(wires[0]) > 1000


def test_no_truth_reaches_the_daemon(site: Site) -> None:
    """What comes is MAVLink and frames; where MAVLink speaks of the vehicle's state, it is wrong as sensors are."""
    plan, daemon = site.plan, Listener()
    autopilot = make_autopilot(site.world, plan.home, SEED)
    autopilot.start_in_flight((100.0, 50.0, -100.0), "LOITER")
    rig = CameraRig(SimulatedCamera(site.renderer, default_camera(), SEED), SEED)
    flight = SimulatedFlight(autopilot, rig, plan.home, lambda: Companion(daemon))
    companion = mavlink.MAVLink(None, srcSystem=1, srcComponent=191)
    for message_id in (mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, mavlink.MAVLINK_MSG_ID_ATTITUDE):
        ask = mavlink.MAVLink_command_long_message(
            1, 1, mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 0, message_id, 1e5, 0, 0, 0, 0, 0
        )
        autopilot.receive(ask.pack(companion))
    flight.fly(60.0)

    assert {type(event) for event in daemon.events} == {LinkData, FrameArrived, Tick}
    assert not any(isinstance(event, ControlRequest) for event in daemon.events)
    parser = mavlink.MAVLink(None)
    heard = [
        (event.t_ns, message)
        for event in daemon.events
        if isinstance(event, LinkData)
        for message in parser.parse_buffer(event.data) or []
    ]
    kinds = Counter(message.get_type() for _, message in heard)
    assert kinds["GLOBAL_POSITION_INT"] > 100 and kinds["ATTITUDE"] > 100
    assert not [kind for kind in kinds if kind.startswith(("SIM", "HIL")) or "TRUTH" in kind]

    truth = {step.t_ns: step for step in flight.track}
    positions = [(t_ns, message) for t_ns, message in heard if message.get_type() == "GLOBAL_POSITION_INT"]
    errors = []
    for t_ns, message in positions:
        said = north_east_m(site.world.origin, GeoPoint(message.lat / 1e7, message.lon / 1e7))
        errors.append(np.hypot(said[0] - truth[t_ns].ground[0], said[1] - truth[t_ns].ground[1]))
    assert 0.2 < float(np.mean(errors)) < 6.0
    height_error = abs(positions[-1][1].relative_alt / 1000 / truth[positions[-1][0]].height_m - 1)
    assert 0.005 < height_error < 0.09
    attitude = next(message for _, message in reversed(heard) if message.get_type() == "ATTITUDE")
    true_yaw, _, _ = rotation(autopilot.truth.ned_from_body).as_euler("ZYX")
    heading_error_deg = np.degrees((attitude.yaw - true_yaw + np.pi) % (2 * np.pi) - np.pi)
    assert 0.1 < abs(heading_error_deg) < 12.0

    frames = [event.frame for event in daemon.events if isinstance(event, FrameArrived)]
    assert len(frames) > 30
    assert all(frame.source == "simulated camera" for frame in frames)
    assert not any(frame.t_ns in truth for frame in frames[:20]), "a stamp on a simulation step tells the exposure"


def test_the_report_tells_the_flight(site: Site, flown: tuple[Outcome, Recording], tmp_path: Path) -> None:
    from sim.scenario.report import write_report

    outcome, recording = flown
    write_report(tmp_path / "report.html", site, outcome, recording, 12.0)
    text = (tmp_path / "report.html").read_text()
    for needed in ("position target", "pilot takes over", "not engaged", "The matched keyframe", "The arrival"):
        assert needed in text, needed
    assert (tmp_path / "report_map.png").stat().st_size > 50_000
    assert 30_000 < (tmp_path / "report_picture.jpg").stat().st_size < 400_000  # it goes into the README
