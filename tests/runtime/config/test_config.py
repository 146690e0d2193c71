"""The configuration file: what is good loads, what is wrong is named with its line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from runtime.config.config import Config, load_config
from runtime.config.flying import Waiver
from runtime.errors import CommandingError, ConfigError
from runtime.guidance.reasons import WAIVABLE, Reason
from runtime.values import GeoPoint

EXAMPLE = Path(__file__).parents[3] / "deploy" / "homing.toml"
SMALL = """\
[camera]
uri = "frames"
width_px = 640
height_px = 480
hfov_deg = 70.0

[vehicle]
uri = "udpin:127.0.0.1:14550"

[history]
path = "history.db"
"""
LIMITS = """
[commanding]
enabled = true
polygon = [
  [60.40, 22.20],
  [60.40, 22.30],
  [60.50, 22.30],
]
floor_height_takeoff_m = 30.0
ceiling_height_takeoff_m = 110.0
max_distance_m = 900.0
battery_reserve_percent = 30.0
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "homing.toml"
    path.write_text(text)
    return path


def line_of(text: str, start: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def refused(tmp_path: Path, text: str, error: type[Exception] = ConfigError) -> str:
    with pytest.raises(error) as caught:
        load_config(written(tmp_path, text))
    message = str(caught.value)
    assert str(tmp_path / "homing.toml") in message and "\n" not in message
    return message


def test_the_example_loads_and_commands_nothing() -> None:
    config = load_config(EXAMPLE)
    assert config.commanding.limits() is None
    assert config.history.path == EXAMPLE.parent / "history.db"
    assert config.camera.model().delay_s == 0.06


def test_the_example_shows_every_key_with_its_true_default(tmp_path: Path) -> None:
    """All its commented keys switched on give the defaults again; none is missing and none is stale."""
    text = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", EXAMPLE.read_text())
    depends = (
        "fx_px|fy_px|cx_px|cy_px|path = \"bundle\"|socket|system_id|flight|signed_by|threads|precision|features|"
        "terrain ="
    )
    text = re.sub(rf"(?m)^({depends}|polygon_file).*$", "", text)
    full, plain = load_config(written(tmp_path, text)), load_config(EXAMPLE)
    for section in ("camera", "vehicle", "bundle", "record", "fix", "target", "guidance"):
        assert getattr(full, section) == getattr(plain, section), section
    named = set(re.findall(r"(?m)^#? ?([a-z_0-9]+) = ", EXAMPLE.read_text()))
    sections = (field.annotation for field in Config.model_fields.values())
    assert named == {key for section in sections for key in section.model_fields}  # type: ignore[union-attr]


def test_limits_are_read(tmp_path: Path) -> None:
    limits = load_config(written(tmp_path, SMALL + LIMITS)).commanding.limits()
    assert limits is not None
    assert limits.floor_height_takeoff_m == 30.0 and limits.battery_reserve_percent == 30.0


def test_a_misspelt_key_is_named_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    text = SMALL.replace("hfov_deg", "hfov_degrees")
    message = refused(tmp_path, text)
    assert f"line {line_of(text, 'hfov_degrees')}: unknown key camera.hfov_degrees; did you mean hfov_deg?" in message


def test_a_misspelt_section_is_named(tmp_path: Path) -> None:
    text = SMALL + "\n[comanding]\nenabled = true\n"
    assert f"line {line_of(text, '[comanding]')}: unknown key comanding; did you mean commanding?" in refused(
        tmp_path, text
    )


def test_a_key_like_nothing_known_lists_what_is_known(tmp_path: Path) -> None:
    assert "known are path" in refused(tmp_path, SMALL + "zzz = 1\n")


def test_lines_are_right_after_arrays_and_comments(tmp_path: Path) -> None:
    text = SMALL + LIMITS + "# a comment\nflour_height_m = 2\n"
    assert f"line {line_of(text, 'flour')}: unknown key commanding.flour_height_m" in refused(tmp_path, text)


def test_a_bad_value_inside_a_long_array_is_found(tmp_path: Path) -> None:
    text = SMALL + LIMITS.replace("[60.50, 22.30]", "[160.50, 22.30]")
    message = refused(tmp_path, text)
    assert f"line {line_of(text, 'polygon')}: commanding.polygon[2][0]" in message and "less than or equal" in message


def test_dotted_keys_have_lines_too(tmp_path: Path) -> None:
    text = 'bundle.threds = 2\nbundle.precision = "fp32"\n' + SMALL
    assert "line 1: unknown key bundle.threds; did you mean threads?" in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("width_px = 640", "width_px = 4", "camera.width_px"),
        ("hfov_deg = 70.0", "hfov_deg = 190.0", "camera.hfov_deg"),
        ("hfov_deg = 70.0", "", "give hfov_deg, or all of fx_px"),
        ("hfov_deg = 70.0", "hfov_deg = 70.0\nfx_px = 400.0", "not both"),
        ('uri = "frames"', "uri = 3", "camera.uri"),
        ('path = "history.db"', "", "key history.path is missing"),
        ("width_px = 640", "width_px = nan", "camera.width_px"),
    ],
)
def test_values_out_of_range_and_missing_keys(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = SMALL.replace(old, new)
    message = refused(tmp_path, text)
    assert said in message and re.search(r"line \d+", message)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('[commanding]\nwaive = "rc"', "commanding.waive: input should be a list, in square brackets."),
        ("[control]\nsocket = 3", "control.socket: input should be a path, in quotes."),
        ('[guidance]\nconsent_s = "long"', "guidance.consent_s: input should be a number, without quotes."),
        ("[log]\npicture_interval_s = []", "log.picture_interval_s: input should be a number."),
        ("[bundle]\nprecision = 16", "bundle.precision: input should be"),
        ("[record]\nenabled = 2", "record.enabled: input should be true or false."),
        ("[record]\nflight = 7", "record.flight: input should be a text, in quotes."),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_the_words_of_toml(tmp_path: Path, section: str, said: str) -> None:
    assert said in refused(tmp_path, f"{SMALL}\n{section}\n")


def test_a_speed_that_cannot_be_flown_in_short_steps(tmp_path: Path) -> None:
    message = refused(tmp_path, SMALL + "\n[guidance]\ncruise_speed_m_s = 20.0\n")
    assert "1.5 stopping distances" in message


@pytest.mark.parametrize(
    "limit",
    ["polygon", "floor_height_takeoff_m", "ceiling_height_takeoff_m", "max_distance_m", "battery_reserve_percent"],
)
def test_commanding_without_any_one_limit_is_refused(tmp_path: Path, limit: str) -> None:
    pattern = r"(?ms)^polygon = \[.*?^\]\n" if limit == "polygon" else rf"(?m)^{limit} = .*\n"
    text = SMALL + re.sub(pattern, "", LIMITS)
    message = refused(tmp_path, text, CommandingError)
    assert f"line {line_of(text, '[commanding]')}" in message and limit in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ceiling_height_takeoff_m = 110.0", "ceiling_height_takeoff_m = 20.0", "must be above"),
        ("  [60.50, 22.30],\n", "", "2 corners"),
        ("  [60.50, 22.30],\n", "  [60.50, 22.30],\n  [60.45, 22.15],\n  [60.45, 22.35],\n", "not a simple area"),
    ],
)
def test_limits_that_make_no_sense_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in refused(tmp_path, SMALL + LIMITS.replace(old, new), CommandingError)


def test_ground_without_coverage_must_be_crossed_before_the_position_is_lost(tmp_path: Path) -> None:
    short = SMALL + LIMITS + "\n[navigation]\ncoast_s = 14.0\n"
    message = refused(tmp_path, short, CommandingError)
    assert f"line {line_of(short, 'coast_s')}" in message and "15 s together" in message
    long = SMALL + LIMITS + "\n[guidance]\nuncovered_s = 16.0\n"
    assert f"line {line_of(long, '[guidance]')}" in refused(tmp_path, long, CommandingError)
    for flown in (short.replace("14.0", "15.0"), SMALL + "[navigation]\ncoast_s = 14.0\n",
                  short.replace("coast_s", 'source = "autopilot"\ncoast_s')):  # fmt: skip
        assert load_config(written(tmp_path, flown)).navigation.coast_s > 0


def test_not_toml_names_the_line(tmp_path: Path) -> None:
    assert re.search(r"is not TOML: .*line 2", refused(tmp_path, "[camera]\nuri = \n"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none.toml does not exist; .* copy of deploy/homing.toml"):
        load_config(tmp_path / "none.toml")


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "homing.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(path)


def test_what_is_waived_is_a_list_of_known_names(tmp_path: Path) -> None:
    enabled = (SMALL + LIMITS).replace("enabled = true", 'enabled = true\nwaive = ["rc", "fence"]')
    limits = load_config(written(tmp_path, enabled)).commanding.limits()
    assert limits is not None and limits.waived == frozenset({Reason.RC_UNKNOWN, Reason.FENCE_UNKNOWN})
    said = refused(tmp_path, enabled.replace('"fence"', '"failsafe"'))
    assert "commanding.waive[1]" in said and "'rc' or 'fence'" in said
    assert set(get_args(Waiver)) == set(WAIVABLE)


def test_how_long_consent_lasts_is_configured_in_seconds(tmp_path: Path) -> None:
    text = SMALL + "\n[guidance]\nconsent_s = 45.0\n"
    assert load_config(written(tmp_path, text)).guidance.settings().consent_ns == 45_000_000_000
    assert "guidance.consent_s" in refused(tmp_path, text.replace("45.0", "0"))


PLAN: dict[str, Any] = {
    "fileType": "Plan",
    "geoFence": {
        "circles": [],
        "polygons": [
            {"inclusion": True, "polygon": [[60.40, 22.20], [60.40, 22.30], [60.50, 22.30]]},
            {"inclusion": False, "polygon": [[60.42, 22.27], [60.42, 22.28], [60.43, 22.28]]},
        ],
    },
}
DRAWN = re.sub(r"(?ms)^polygon = .*?^\]\n", 'polygon_file = "area.plan"\n', LIMITS)


def test_the_area_may_come_from_a_drawing_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "area.plan").write_text(json.dumps(PLAN))
    config = load_config(written(tmp_path, SMALL + DRAWN))
    limits = config.commanding.limits()
    assert limits is not None and limits.area.corners[0] == GeoPoint(60.40, 22.20)
    assert limits.area.contains(GeoPoint(60.44, 22.28)) and not limits.area.contains(GeoPoint(60.422, 22.279))
    # What is in force can be read again without the drawing: a log is complete.
    assert Config.model_validate(config.model_dump()).commanding == config.commanding


@pytest.mark.parametrize(
    ("rings", "said"),
    [([], "holds 0 areas"), ([0, 0], "holds 2 areas"), ([0, 1, 2], "leave 2 pieces"), (None, "cannot be read")],
)
def test_a_drawing_that_is_no_one_area_is_refused_with_its_line(
    tmp_path: Path, rings: list[int] | None, said: str
) -> None:
    across = {"inclusion": False, "polygon": [[60.39, 22.24], [60.39, 22.25], [60.60, 22.25], [60.60, 22.24]]}
    polygons = [*PLAN["geoFence"]["polygons"], across]
    if rings is not None:
        fence = {"polygons": [polygons[number] for number in rings]}
        (tmp_path / "area.plan").write_text(json.dumps({**PLAN, "geoFence": fence}))
    text = SMALL + DRAWN
    message = refused(tmp_path, text, CommandingError)
    line = line_of(text, "[commanding]" if "pieces" in said else "polygon_file")
    assert said in message and f"line {line}:" in message


def test_a_drawing_and_corners_are_one_too_many(tmp_path: Path) -> None:
    assert "not both" in refused(tmp_path, SMALL + LIMITS + 'polygon_file = "area.plan"\n')
