"""Parameters are set only on the ground, only once the old values are kept, and all of them can be taken back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import runtime
from runtime.doctor.autopilot import Direct
from runtime.doctor.saved import Change, SavedParameters, read_saved
from runtime.doctor.transaction import Transaction, Wish
from runtime.errors import StorageError, UsageError, VehicleError
from runtime.mavlink.dialect import mavlink
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.parameters.keeping import INT8, INT32, PX4, REAL32, Keeper, Line, StepClock
from tests.runtime.vehicle.peer import Voice

ARDUPILOT = mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA


def test_nowhere_else_is_a_parameter_set() -> None:
    sources = Path(runtime.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if re.search(r"param_set", path.read_text())] == ["transaction.py"]


def store() -> dict[str, list[float]]:
    return {"A": [0.0, INT8], "B": [1.5, REAL32], "C": [-7.0, INT32]}


def talking(**peer: Any) -> tuple[Direct, Keeper]:
    keeper, clock = Keeper(**{"armed": False, "store": store(), **peer}), StepClock()
    direct = Direct(Vehicle(), {"vehicle": Line(keeper, clock)}, "here", clock, 5.0)
    direct.look(keeper.store)
    return direct, keeper


def wishes(direct: Direct, **values: float) -> list[Wish]:
    known = direct.parameters().known
    return [Wish(known[name], value) for name, value in values.items()]


@pytest.mark.parametrize("autopilot", [ARDUPILOT, PX4])
def test_each_is_set_and_read_back_and_all_can_be_taken_back(autopilot: int, tmp_path: Path) -> None:
    direct, keeper = talking(autopilot=autopilot)
    name = "px4" if autopilot == PX4 else "ardupilot"
    saved = SavedParameters(tmp_path / "old.json", name, 1)
    Transaction(direct, saved).set(wishes(direct, A=3, B=0.25, C=-(2.0**20)))
    assert [value for value, _ in keeper.store.values()] == [3, 0.25, -(2.0**20)]
    Transaction(direct, saved).set(wishes(direct, A=4))
    changes = read_saved(saved.path, name, 1)
    assert [(one.name, one.old, one.new) for one in changes] == [
        ("A", 0, 4), ("B", 1.5, 0.25), ("C", -7, -(2.0**20)),
    ], "what it was at first"  # fmt: skip
    Transaction(direct, None).set(wishes(direct, **{one.name: one.old for one in changes}))
    assert keeper.store == store()


def test_a_lost_packet_is_sent_again(tmp_path: Path) -> None:
    direct, keeper = talking()
    keeper.lost = 3
    Transaction(direct, SavedParameters(tmp_path / "old.json", "ardupilot", 1)).set(wishes(direct, A=3))
    assert keeper.store["A"][0] == 3


def test_nothing_is_set_while_armed(tmp_path: Path) -> None:
    direct, keeper = talking(armed=True)
    with pytest.raises(VehicleError, match=r"^no parameter is set: the vehicle is armed\.$"):
        Transaction(direct, SavedParameters(tmp_path / "old.json", "ardupilot", 1)).set(wishes(direct, A=3))
    assert keeper.written == [] and not (tmp_path / "old.json").exists()


def test_arming_in_the_middle_ends_it_and_names_what_was_set(tmp_path: Path) -> None:
    direct, keeper = talking(arms_at="A")
    for _ in range(40):
        direct.turn()  # the next heartbeat is due soon
    transaction = Transaction(direct, SavedParameters(tmp_path / "old.json", "ardupilot", 1))
    with pytest.raises(VehicleError, match=r"armed\. Set before that: A.*; `--restore .*old.json` undoes it\.$"):
        for number in range(3, 60):
            transaction.set(wishes(direct, A=number, B=number))
    assert read_saved(tmp_path / "old.json", "ardupilot", 1)[0].old == 0


def test_nothing_is_set_while_nobody_knows_whether_it_is_armed(tmp_path: Path) -> None:
    direct, keeper = talking()
    keeper.system_id = 9
    keeper.voice = Voice(9, 1)  # another vehicle took its place: ours is silent
    for _ in range(250):
        direct.turn()
    with pytest.raises(VehicleError, match="does not answer"):
        Transaction(direct, None).set(wishes(direct, A=3))
    assert keeper.written == []


def test_a_rival_on_the_link_ends_it(tmp_path: Path) -> None:
    direct, keeper = talking()
    line: Any = direct._lines["vehicle"]
    line._waiting += Voice(1, 191).say(mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3))
    direct.turn()
    assert direct.look(()).rivals
    with pytest.raises(VehicleError, match="second autopilot, or another companion"):
        Transaction(direct, None).set(wishes(direct, A=3))
    assert keeper.written == []


def test_one_that_does_not_take_ends_it_and_the_rest_is_left(tmp_path: Path) -> None:
    direct, keeper = talking(stubborn=frozenset({"B"}))
    with pytest.raises(VehicleError, match=r"^B does not become 2: .* Set before that: A; .* undoes it\.$"):
        Transaction(direct, SavedParameters(tmp_path / "old.json", "ardupilot", 1)).set(wishes(direct, A=3, B=2, C=1))
    assert keeper.store["C"][0] == -7 and {name for name, _ in keeper.written} == {"A", "B"}


@pytest.mark.parametrize("value, why", [(300.0, "too large"), (1.5, "no whole number")])
def test_a_value_that_px4_cannot_hold_is_named(value: float, why: str, tmp_path: Path) -> None:
    direct, keeper = talking(autopilot=PX4)
    with pytest.raises(VehicleError, match=f"A cannot be set: .*{why}"):
        Transaction(direct, None).set(wishes(direct, A=value))
    assert keeper.written == []


def test_without_a_place_for_the_old_values_nothing_is_set(tmp_path: Path) -> None:
    direct, keeper = talking()
    saved = SavedParameters(tmp_path / "gone" / "old.json", "ardupilot", 1)
    with pytest.raises(StorageError, match="No parameter was set"):
        Transaction(direct, saved).set(wishes(direct, A=3))
    assert keeper.written == []


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("precious")
    with pytest.raises(UsageError, match="is there already"):
        SavedParameters(tmp_path / "old.json", "ardupilot", 1)


GOOD = {"format": 1, "stack": "px4", "system_id": 1, "parameters": []}


@pytest.mark.parametrize(
    "content, why",
    [
        ("", "holds no saved parameters"),
        ("\x00\xff", "holds no saved parameters"),
        (json.dumps({**GOOD, "format": 2}), "format"),
        (json.dumps({**GOOD, "parameters": [{"name": "A"}]}), "parameters.0.old"),
        (json.dumps({**GOOD, "parameters": [{"name": "a b", "old": 1, "new": 1, "kind": 2, "reboot": False}]}), "name"),
        (json.dumps({**GOOD, "system_id": 2}), "is of px4 with system id 2"),
        (json.dumps({**GOOD, "stack": "ardupilot"}), "is of ardupilot"),
    ],
)
def test_a_file_that_is_none_or_anothers_is_refused_in_a_sentence(content: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=why):
        read_saved(path, "px4", 1)
    with pytest.raises(UsageError, match="cannot be read"):
        read_saved(tmp_path / "absent.json", "px4", 1)


def test_what_is_kept_survives_as_it_was(tmp_path: Path) -> None:
    change = Change("EKF2_EV_CTRL", -1.0, 5.0, 6, True)
    SavedParameters(tmp_path / "old.json", "px4", 3).keep([change])
    assert read_saved(tmp_path / "old.json", "px4", 3) == [change]
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]


def test_an_autopilot_that_is_not_there_is_named() -> None:
    class Silent(Keeper):
        def step(self, t_ns: int) -> bytes:
            return b""

    clock = StepClock()
    with pytest.raises(VehicleError, match="^no autopilot answered at tcp:there within 5 s"):
        Direct(Vehicle(), {"vehicle": Line(Silent(), clock)}, "tcp:there", clock, 5.0).look(())
