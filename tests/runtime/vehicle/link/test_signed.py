"""A signed link over a real socket: only what is signed passes, stamps outlive a kill, and keys are shown nowhere."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import ConfigError, StorageError
from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import PacketReader
from runtime.mavlink.signing import STAMPS_PER_S
from runtime.vehicle.link.keys import read_key
from runtime.vehicle.link.lines import link_names
from runtime.vehicle.link.opened import Links
from runtime.vehicle.link.signed import Stamping
from runtime.vehicle.link.stamps import StampFile, stamp_of

SECRET = bytes(range(1, 33))
YEAR_S = 365 * 86_400
NOW_S = 1_800_000_000.0
AHEAD = 20 * STAMPS_PER_S


class Hands:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.t_ns = 5_000_000_000

    def now_ns(self) -> int:
        return self.t_ns


def key_file(folder: Path, text: str = SECRET.hex(), mode: int = 0o600) -> Path:
    path = folder / "signing.key"
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def codec(stamp: int, secret: bytes | None = SECRET) -> Any:
    made = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    made.signing.secret_key, made.signing.timestamp, made.signing.sign_outgoing = secret, stamp, secret is not None
    return made


def said(peer: Any, mode: int = 4) -> bytes:
    return bytes(mavlink.MAVLink_heartbeat_message(2, 3, 0x51, mode, 4, 3).pack(peer))


def until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10.0
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_only_what_is_signed_passes_and_what_is_sent_is_signed(tmp_path: Path) -> None:
    vehicle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    vehicle.bind(("127.0.0.1", 0))
    vehicle.settimeout(5.0)
    with Links([f"udpout:127.0.0.1:{vehicle.getsockname()[1]}"], Hands(), 57600, key_file(tmp_path)) as links:
        link = links.by_name["vehicle"]
        link.write(said(codec(0, None)))
        data, companion = vehicle.recvfrom(2048)
        stamp = int.from_bytes(data[-12:-6], "little")
        peer, stranger = codec(stamp), codec(stamp, bytes(32 * [7]))
        assert peer.decode(bytearray(data)).custom_mode == 4 and peer.signing.goodsig_count == 1
        good = said(peer, 5)
        for packet in (b"\xfdgarbage", said(codec(0, None), 9), said(stranger, 9), good, good):
            vehicle.sendto(packet, companion)
        heard: list[bytes] = []

        def all_came() -> bool:
            heard.extend(chunk for chunk, _ in link.read())
            return link.counts()["link_packets_replayed"] == 1

        until(all_came)
        assert [p.message.custom_mode for p in PacketReader().feed(b"".join(heard))] == [5]
        counts = link.counts()
        assert (counts["link_packets_unsigned"], counts["link_packets_forged"], counts["link_breaks"]) == (1, 1, 0)
    vehicle.close()
    assert int((tmp_path / "signing.key.stamp").read_text()) >= stamp + 1
    assert (tmp_path / "signing.key.stamp").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("clock_off_s", [0, YEAR_S, -YEAR_S, -100 * YEAR_S])
def test_stamps_go_on_over_restarts_whatever_the_wall_clock_says(tmp_path: Path, clock_off_s: float) -> None:
    used = []
    for run, unix_s in enumerate((NOW_S, NOW_S + 5 + clock_off_s, NOW_S + 9)):
        hands = Hands()
        file = StampFile(tmp_path / "stamp")
        stamping = Stamping(file, hands, lambda unix_s=unix_s: unix_s)  # type: ignore[misc]
        used.append(stamping.now())
        hands.t_ns += 3_000_000_000
        used.append(stamping.now())
        stamping.used_up_to(used[-1] + 1)
        file.close(stamping.now()) if run != 1 else until(lambda f=file, u=used[-1]: f.reserved > u)  # type: ignore[misc]
    assert used == sorted(set(used)) and used[0] == stamp_of(NOW_S)
    assert used[-1] - used[0] < 60 * STAMPS_PER_S, "a ground station with a right clock would be shut out"


def test_a_clock_that_is_set_in_flight_changes_nothing(tmp_path: Path) -> None:
    wall, hands = [NOW_S], Hands()
    stamping = Stamping(StampFile(tmp_path / "stamp"), hands, lambda: wall[0])
    first = stamping.now()
    wall[0] += YEAR_S
    hands.t_ns += 1_000_000_000
    assert stamping.now() == first + STAMPS_PER_S
    stamping.close()


def test_no_stamp_is_used_again_after_a_kill(tmp_path: Path) -> None:
    """A process of its own that signs until it is killed: what it used lies below what the next one begins with."""
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom runtime.clock import MonotonicClock\n"
        "from runtime.vehicle.link.signed import Stamping\nfrom runtime.vehicle.link.stamps import StampFile\n"
        "s = Stamping(StampFile(Path(sys.argv[1])), MonotonicClock(), lambda: 1.8e9)\nwhile True:\n"
        " n = s.now(); s.used_up_to(n + 1)\n print(n, flush=True)\n time.sleep(0.01)\n"
    )
    path = tmp_path / "stamp"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(20)]
        running.kill()
        lines += running.stdout.readlines()
    last = max(int(line) for line in lines if line.endswith("\n"))
    file = StampFile(path)
    assert last < file.first(NOW_S - YEAR_S) <= last + AHEAD
    file.close(file.reserved)


def test_a_disk_that_fails_in_flight_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    file = StampFile(folder / "stamp")
    begun = file.first(NOW_S)
    until(lambda: file.reserved > begun)
    (folder / "stamp").unlink()
    folder.rmdir()
    file.reach(begun + AHEAD)
    until(lambda: file.failures > 0)
    file.close(begun + AHEAD)


@pytest.mark.parametrize("text", ["not a stamp", "-5", "1" * 40, "9" * 15])
def test_a_file_that_holds_no_stamp_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stamp"
    path.write_text(text)
    with pytest.raises(StorageError, match="holds no signing stamp; remove it"):
        StampFile(path)


def test_keys_are_read_as_ground_stations_make_them(tmp_path: Path) -> None:
    head = b"some packet"
    assert read_key(key_file(tmp_path)).signature(head) == hashlib.sha256(SECRET + head).digest()[:6]
    words = read_key(key_file(tmp_path, "passphrase: correct horse")).signature(head)
    assert words == hashlib.sha256(hashlib.sha256(b"correct horse").digest() + head).digest()[:6]


@pytest.mark.parametrize(
    "text, mode, sentence",
    [
        (SECRET.hex(), 0o640, "chmod 600"),
        (SECRET.hex(), 0o604, "chmod 600"),
        (SECRET.hex()[:-2], 0o600, "holds no signing key"),
        ("hunter2 hunter2", 0o600, "holds no signing key"),
        ("00" * 32, 0o600, "holds no signing key"),
        ("passphrase:", 0o600, "holds no signing key"),
        ("\udcff", 0o600, "holds no signing key"),
    ],
)
def test_a_key_that_is_open_or_none_is_one_sentence_without_its_words(
    tmp_path: Path, text: str, mode: int, sentence: str
) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(mode)
    with pytest.raises(ConfigError, match=sentence) as error:
        read_key(path)
    assert text == "passphrase:" or text not in str(error.value) and error.value.__cause__ is None
    with pytest.raises(ConfigError, match="No such file"):
        read_key(tmp_path / "none")


def test_links_have_names_in_the_order_of_the_configuration() -> None:
    assert [link_names(n) for n in (0, 1, 3)] == [(), ("vehicle",), ("vehicle", "vehicle2", "vehicle3")]
