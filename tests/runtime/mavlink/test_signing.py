"""Signing: pymavlink and we believe each other, and nothing that is forged or repeated."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.signing import Signer, SigningKey, Verdict, may_be_unsigned

SECRET = bytes(range(1, 33))
MINUTE = 60 * 100_000


def heartbeat(mode: int = 4) -> Any:
    return mavlink.MAVLink_heartbeat_message(2, 3, 0x51, mode, 4, 3)


def theirs(stamp: int, secret: bytes | None = SECRET, link_id: int = 0) -> Any:
    """pymavlink's own end of the link."""
    codec = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    codec.signing.secret_key, codec.signing.timestamp, codec.signing.link_id = secret, stamp, link_id
    codec.signing.sign_outgoing = secret is not None
    return codec


def said(codec: Any, message: Any = None) -> bytes:
    return bytes((message or heartbeat()).pack(codec))


def ours(stamp: int = 10 * MINUTE) -> Signer:
    return Signer(SigningKey(SECRET), stamp)


def test_the_two_implementations_believe_each_other() -> None:
    signer, peer = ours(), theirs(10 * MINUTE)
    assert signer.check(said(peer)) is Verdict.SIGNED
    for text in ("", "hello", "x" * 50):
        plain = bytes(mavlink.MAVLink_statustext_message(5, text.encode()).pack(mavlink.MAVLink(None, 1, 191)))
        assert peer.decode(bytearray(signer.sign(plain))).text == text
    assert signer.sign(signer.sign(plain)) != plain and peer.signing.badsig_count == 0


def test_a_stamp_grows_with_every_packet_and_with_the_time_and_never_falls() -> None:
    signer = ours(stamp=1000)
    plain = said(theirs(0, secret=None))
    stamps = [int.from_bytes(signer.sign(plain)[-12:-6], "little") for _ in range(3)]
    signer.reached(500)
    stamps.append(int.from_bytes(signer.sign(plain)[-12:-6], "little"))
    signer.reached(70_000)
    stamps.append(int.from_bytes(signer.sign(plain)[-12:-6], "little"))
    assert stamps == [1000, 1001, 1002, 1003, 70_000]


def test_what_is_not_signed_or_by_another_key_is_told_apart() -> None:
    signer = ours()
    assert signer.check(said(theirs(0, secret=None))) is Verdict.UNSIGNED
    assert signer.check(bytes(heartbeat().pack(mavlink.MAVLink(None, 1, 1), force_mavlink1=True))) is Verdict.UNSIGNED
    assert signer.check(said(theirs(10 * MINUTE, secret=bytes(32 * [7])))) is Verdict.FORGED
    assert may_be_unsigned(mavlink.MAVLINK_MSG_ID_RADIO_STATUS) and not may_be_unsigned(0)


def test_a_packet_that_comes_twice_or_begins_too_late_is_not_believed() -> None:
    signer, peer = ours(), theirs(10 * MINUTE)
    first, second = said(peer), said(peer)
    assert [signer.check(p) for p in (first, first, second, first)] == [
        Verdict.SIGNED, Verdict.REPLAYED, Verdict.SIGNED, Verdict.REPLAYED,
    ]  # fmt: skip
    assert signer.check(said(theirs(9 * MINUTE - 1, link_id=1))) is Verdict.REPLAYED
    assert signer.check(said(theirs(9 * MINUTE + 2, link_id=2))) is Verdict.SIGNED


def test_a_forged_packet_of_a_great_stamp_does_not_shut_the_real_ones_out() -> None:
    signer, peer = ours(), theirs(10 * MINUTE)
    assert signer.check(said(peer)) is Verdict.SIGNED
    assert signer.check(said(theirs(1 << 47, secret=bytes(32 * [7])))) is Verdict.FORGED
    assert signer.check(said(peer)) is Verdict.SIGNED and signer.stamp < 11 * MINUTE


def test_a_computer_without_a_clock_follows_its_vehicle() -> None:
    signer, peer = ours(stamp=0), theirs(500 * MINUTE)
    assert signer.check(said(peer)) is Verdict.SIGNED
    assert peer.decode(bytearray(signer.sign(said(theirs(0, secret=None))))) is not None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_byte_of_a_signed_packet_may_differ(where: int, change: int) -> None:
    packet = bytearray(said(theirs(10 * MINUTE)))
    packet[where % (len(packet) - 3) + 3] ^= change  # behind start, length and flags, which framing judges
    assert ours().check(bytes(packet)) is Verdict.FORGED


@pytest.mark.parametrize("secret", [b"", bytes(32), SECRET[:31], SECRET + b"\x01"])
def test_a_key_that_is_none_is_refused_without_showing_it(secret: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes that are not all zero"):
        SigningKey(secret)


def test_a_key_never_shows_itself() -> None:
    key = SigningKey(SECRET)
    for shown in (repr(key), str(key), f"{key}", repr(Signer(key, 0).__dict__)):
        assert SECRET.hex() not in shown and repr(SECRET)[2:-1] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)
