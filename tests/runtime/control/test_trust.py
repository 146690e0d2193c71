"""Another user can neither stand in for the daemon, nor be heard by it, nor have its files followed anywhere."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.control.client import ask, default_socket
from runtime.control.control import ControlServer
from runtime.control.trust import is_trusted, peer_uid
from runtime.errors import ControlError

OTHER_UID = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")


def echo(request: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
    reply({"schema": 1, "heard": request})


@contextmanager
def serving(path: Path) -> Iterator[ControlServer]:
    server = ControlServer(path, echo)
    try:
        yield server
    finally:
        server.close()


def refused(path: Path) -> str:
    with pytest.raises(ControlError) as caught:
        ControlServer(path, echo)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


BECOME_ANOTHER = f"""
import os, socket, sys
os.chdir(sys.argv[1])  # while still root: the way there may be closed to others
os.setgroups([])
os.setgid({OTHER_UID})
os.setuid({OTHER_UID})
"""
ASK = BECOME_ANOTHER + """
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect("homing.sock")
    connection.sendall(b'{"command": "engage"}\\n')
    print(connection.recv(4096).decode())
"""
LISTEN = BECOME_ANOTHER + """
listener = socket.socket(socket.AF_UNIX)
listener.bind("homing.sock")
listener.listen()
print("listening", flush=True)
connection, _ = listener.accept()
print("heard", connection.recv(4096).decode(), flush=True)
"""


@as_root
def test_a_request_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run" / "homing.sock"
    heard: list[dict[str, Any]] = []
    server = ControlServer(path, lambda request, reply: heard.append(request))
    try:
        path.chmod(0o666)  # as a mistaken administrator might
        path.parent.chmod(0o755)
        finished = subprocess.run(
            [sys.executable, "-c", ASK, str(path.parent)], capture_output=True, text=True, timeout=60, check=False
        )
        assert f"takes no requests of user {OTHER_UID}" in finished.stdout, finished.stderr
        assert heard == [] and server.counts()["control_foreign_users"] == 1
    finally:
        server.close()


@as_root
def test_what_another_user_made_to_listen_is_told_nothing(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, OTHER_UID, OTHER_UID)
    impostor = subprocess.Popen([sys.executable, "-c", LISTEN, str(shared)], stdout=subprocess.PIPE, text=True)
    try:
        assert impostor.stdout is not None and impostor.stdout.readline() == "listening\n"
        with pytest.raises(ControlError, match=f"what listens at .*homing.sock belongs to user {OTHER_UID}"):
            ask(shared / "homing.sock", {"command": "engage"})
        assert impostor.stdout.readline() == "heard \n"
    finally:
        impostor.kill()
        impostor.communicate()


def test_a_folder_that_another_user_made_first_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / f"homing-{os.getuid()}"
    folder.mkdir(0o700)
    os.chown(folder, OTHER_UID, OTHER_UID)
    assert f"its folder belongs to user {OTHER_UID}" in refused(folder / "homing.sock")
    assert list(folder.iterdir()) == []


@as_root
def test_a_socket_that_another_user_left_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "homing.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    os.chown(path, OTHER_UID, OTHER_UID)
    assert f"belongs to user {OTHER_UID}" in refused(path)
    assert path.is_socket()


@as_root
def test_a_lock_of_another_user_is_refused_and_kept(tmp_path: Path) -> None:
    lock = tmp_path / "homing.sock.lock"
    lock.write_text("theirs")
    os.chown(lock, OTHER_UID, OTHER_UID)
    assert "is not a lock of this user's" in refused(tmp_path / "homing.sock")
    assert lock.read_text() == "theirs"


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    (tmp_path / "homing.sock.lock").symlink_to(precious)
    assert "homing.sock.lock cannot be locked" in refused(tmp_path / "homing.sock")
    assert precious.read_text() == "mine"


def test_a_lock_that_has_another_name_too_is_refused_and_never_written(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    (tmp_path / "homing.sock.lock").hardlink_to(precious)
    assert "is not a lock of this user's" in refused(tmp_path / "homing.sock")
    assert precious.read_text() == "mine"


def test_a_lock_with_something_in_it_is_not_emptied(tmp_path: Path) -> None:
    lock = tmp_path / "homing.sock.lock"
    lock.write_text("an older daemon's")
    with serving(tmp_path / "homing.sock"):
        assert lock.read_text() == "an older daemon's"


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o703, 0o702])
def test_a_folder_that_others_may_write_in_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(mode)
    assert "other users may write in its folder" in refused(folder / "homing.sock")
    assert list(folder.iterdir()) == []


@as_root
def test_a_folder_that_another_group_may_write_in_is_refused_and_our_own_group_may(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o775)
    with serving(folder / "homing.sock"):
        pass
    os.chown(folder, os.geteuid(), OTHER_UID)
    assert "other users may write in its folder" in refused(folder / "homing.sock")


def test_a_folder_that_others_may_exchange_is_refused_and_a_sticky_one_protects_it(tmp_path: Path) -> None:
    shared, path = tmp_path / "shared", tmp_path / "shared" / "own" / "homing.sock"
    shared.mkdir()
    shared.chmod(0o777)
    assert f"other users may replace what is in {shared}" in refused(path)
    shared.chmod(0o1777)
    with serving(path):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert ask(path, {"a": 1})["heard"] == {"a": 1}


@as_root
def test_a_link_of_another_user_on_the_way_is_refused_and_our_own_is_not(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    with serving(link / "homing.sock"):
        assert ask(link / "homing.sock", {"a": 1})["heard"] == {"a": 1}
    os.chown(link, OTHER_UID, OTHER_UID, follow_symlinks=False)
    assert f"{link} is a link of user {OTHER_UID}'s" in refused(link / "homing.sock")


def test_a_link_to_a_socket_is_another_kind_of_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "another.sock"))
    (tmp_path / "homing.sock").symlink_to(tmp_path / "another.sock")
    assert "another kind of file" in refused(tmp_path / "homing.sock")
    assert (tmp_path / "another.sock").is_socket()


def test_the_user_at_the_other_end_of_a_connection() -> None:
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        assert peer_uid(here) == os.geteuid()
    assert is_trusted(os.geteuid()) and is_trusted(0) and not is_trusted(OTHER_UID)


@contextmanager
def environment(**changes: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_the_usual_places(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    with environment(XDG_RUNTIME_DIR=str(runtime)):
        assert default_socket() == runtime / "homing.sock"
        with serving(default_socket()):
            assert ask(default_socket(), {"a": 1})["heard"] == {"a": 1}
    with environment(XDG_RUNTIME_DIR=""):
        assert default_socket().parent.name == f"homing-{os.geteuid()}"


@as_root
def test_a_runtime_folder_that_stayed_another_users_is_not_used(tmp_path: Path) -> None:
    os.chown(tmp_path, OTHER_UID, OTHER_UID)
    with environment(XDG_RUNTIME_DIR=str(tmp_path)):
        assert default_socket().parent.name == f"homing-{os.geteuid()}"
