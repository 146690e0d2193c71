"""An exported log, read back by the decoders of Foxglove's schemas."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mcap.decoder import DecoderFactory as AnyFactory
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

from runtime.flightlog.foxglove import export
from runtime.flightlog.read import read_flightlog
from runtime.flightlog.summary import summary
from tests.runtime.cli.called import homing

FLIGHT = Path(__file__).parents[2] / "data/replay/town.mcap"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "flight.mcap"
    done = homing("log", "export", FLIGHT, "--out", out)
    assert done.returncode == 0 and "/camera" in done.stdout, done.stderr
    return out


def decoded(path: Path, topic: str) -> Iterator[tuple[Any, Any, Any]]:
    factory: AnyFactory = DecoderFactory()
    with path.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[factory])
        for schema, _, message, value in reader.iter_decoded_messages([topic]):
            yield schema, message, value


def records(channel: str) -> list[dict[str, Any]]:
    return [record for _, _, record in read_flightlog(FLIGHT, (channel,))]


def test_positions_are_those_of_the_log_at_their_date(exported: Path) -> None:
    fixes = [record for record in records("fix") if record["aircraft"] is not None]
    shown = list(decoded(exported, "/position/fix"))
    assert len(shown) == len(fixes) > 10
    began = summary(FLIGHT).began
    assert began is not None
    for (schema, message, fix), record in zip(shown, fixes, strict=True):
        assert schema.name == "foxglove.LocationFix"
        assert (fix.latitude, fix.longitude) == tuple(record["aircraft"].values())
        (nn, ne), (_, ee) = record["covariance_m2"]
        assert list(fix.position_covariance) == [ee, ne, 0, ne, nn, 0, 0, 0, 0]
        assert 0.0 <= message.log_time * 1e-9 - began.timestamp() < 13.0
        assert fix.timestamp.seconds + fix.timestamp.nanos * 1e-9 == pytest.approx(message.log_time * 1e-9, abs=1e-6)


def test_the_pose_is_turned_to_east_north_up(exported: Path) -> None:
    heading = next(record["heading_rad"] for record in records("pose") if record["ned_from_body"] is not None)
    _, _, pose = next(decoded(exported, "/pose"))
    q = pose.pose.orientation
    yaw_enu = math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y**2 + q.z**2))
    turn = (math.pi / 2 - heading - yaw_enu + math.pi) % (2 * math.pi) - math.pi
    assert abs(turn) < math.radians(2.0) and pose.pose.position.z > 50.0


def test_pictures_open(exported: Path) -> None:
    pictures = list(decoded(exported, "/camera"))
    assert len(pictures) == summary(FLIGHT).frames > 10
    for schema, _, picture in pictures:
        assert schema.name == "foxglove.CompressedImage"
        image = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None and image.shape == (240, 320, 3) and picture.format in ("jpeg", "png")


def test_states_and_commands_carry_their_schema_and_words_are_said_once(exported: Path) -> None:
    with exported.open("rb") as stream:
        reader = make_reader(stream)
        for schema, channel, message in reader.iter_messages(["/guidance", "/setpoint", "/match"]):
            assert schema is not None and schema.name == f"homing.{channel.topic[1:]}"
            assert set(json.loads(message.data)) <= set(json.loads(schema.data)["properties"])
    words = [log.message for _, _, log in decoded(exported, "/log") if log.name == "guidance"]
    assert all(one != other for one, other in zip(words, words[1:], strict=False)) and "engaged" in words[-2:]


def test_every_record_of_a_topic_is_there(tmp_path: Path) -> None:
    topics = export(FLIGHT, tmp_path / "again.mcap")
    counted = summary(FLIGHT).records
    for channel in ("guidance", "setpoint", "control"):
        assert topics[f"/{channel}"] == counted[channel]
    assert topics["/position/truth"] == counted["truth"]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    out = tmp_path / "there.mcap"
    out.write_bytes(b"mine")
    refused = homing("log", "export", FLIGHT, "--out", out)
    assert refused.returncode == 1 and "is there already" in refused.stderr and out.read_bytes() == b"mine"
