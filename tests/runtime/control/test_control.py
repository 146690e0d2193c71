"""The control socket: private, exclusive, and clear about a daemon that is not there."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.control.client import ask
from runtime.control.control import ControlServer
from runtime.errors import ControlError


def echo(request: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
    reply({"schema": 1, "heard": request})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "homing.sock"


def test_request_and_answer(path: Path) -> None:
    server = ControlServer(path, echo)
    try:
        assert ask(path, {"command": "status"}) == {"schema": 1, "heard": {"command": "status"}}
        answers: list[dict[str, Any]] = []
        threads = [threading.Thread(target=lambda n=n: answers.append(ask(path, {"n": n}))) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer["heard"]["n"] for answer in answers) == list(range(8))
    finally:
        server.close()
    assert not path.exists()


def test_an_answer_is_json_that_every_reader_takes(path: Path) -> None:
    told = {"schema": 1, "sigma_m": float("inf"), "deep": [{"age_s": float("nan")}, (1.5, float("-inf"))]}
    server = ControlServer(path, lambda request, reply: reply(told))
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"{}\n")
            line = connection.makefile().readline()
    finally:
        server.close()

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    read = json.loads(line, parse_constant=refuse)
    assert read == {"schema": 1, "sigma_m": None, "deep": [{"age_s": None}, [1.5, None]]}


def test_only_the_owner_may_open_it(path: Path) -> None:
    server = ControlServer(path, echo)
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        server.close()


def test_a_refusal_is_an_error_for_the_asker(path: Path) -> None:
    server = ControlServer(path, lambda request, reply: reply({"schema": 1, "error": "no target waits."}))
    try:
        with pytest.raises(ControlError, match="no target waits"):
            ask(path, {"command": "confirm"})
    finally:
        server.close()


def test_no_daemon_is_one_sentence(path: Path) -> None:
    with pytest.raises(ControlError, match="no daemon is running at .*homing.sock"):
        ask(path, {"command": "status"})


def test_a_second_daemon_is_refused(path: Path) -> None:
    server = ControlServer(path, echo)
    try:
        with pytest.raises(ControlError, match="another daemon is running"):
            ControlServer(path, echo)
        assert ask(path, {"a": 1})["heard"] == {"a": 1}  # the first one is unharmed
    finally:
        server.close()


def test_a_socket_that_a_killed_daemon_left_is_replaced(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from runtime.control.control import ControlServer;"
        "ControlServer(Path(sys.argv[1]), lambda q, r: None); os._exit(9)"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", program, str(path)], cwd=root, check=False, timeout=60)
    assert path.is_socket()
    with pytest.raises(ControlError, match="no daemon is running"):
        ask(path, {})
    server = ControlServer(path, echo)
    try:
        assert ask(path, {"a": 2})["heard"] == {"a": 2}
    finally:
        server.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious.txt"
    path.write_text("mine")
    with pytest.raises(ControlError, match="another kind of file"):
        ControlServer(path, echo)
    assert path.read_text() == "mine"


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="107 bytes"):
        ControlServer(tmp_path / ("x" * 120), echo)


def test_nonsense_from_a_client_is_answered(path: Path) -> None:
    server = ControlServer(path, echo)
    try:
        for line in (b"hello\n", b"[1, 2]\n", b"\xff\xff\n", b"[" * 100_000 + b"\n", b"1" * 10_000 + b"\n"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                connection.sendall(line)
                answer = json.loads(connection.recv(4096))
                assert "one JSON object" in answer["error"]
        assert ask(path, {"a": 3})["heard"] == {"a": 3}
    finally:
        server.close()


def test_a_request_that_the_daemon_fails_at_is_answered_and_counted(path: Path) -> None:
    def submit(request: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        if request["n"] == 0:
            raise ZeroDivisionError("nobody expects it")
        reply({"schema": 1, "value": object() if request["n"] == 1 else 2})

    server = ControlServer(path, submit)
    try:
        for number in (0, 1):
            with pytest.raises(ControlError, match="the daemon failed at this; its log says why"):
                ask(path, {"n": number})
        assert server.counts() == {"control_failures": 2, "control_foreign_users": 0}
        assert ask(path, {"n": 2})["value"] == 2
    finally:
        server.close()


def test_many_may_ask_at_once(path: Path) -> None:
    """More than wait in a listener's usual queue, while it is held up."""
    server = ControlServer(path, echo)
    try:
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for connection in waiting:
            connection.settimeout(20.0)
            connection.connect(str(path))
        assert ask(path, {"a": 5})["heard"] == {"a": 5}
        for connection in waiting:
            connection.close()
    finally:
        server.close()


def test_a_client_that_leaves_at_once_harms_nobody(path: Path) -> None:
    server = ControlServer(path, echo)
    try:
        for _ in range(5):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
        assert ask(path, {"a": 4})["heard"] == {"a": 4}
    finally:
        server.close()


def test_something_else_that_listens_there(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def speak() -> None:
            connection, _ = listener.accept()
            connection.recv(100)
            connection.sendall(b"220 mail ready\n")
            connection.close()

        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(ControlError, match="not a Homing daemon"):
            ask(path, {"command": "status"})
        thread.join()


def test_a_daemon_that_ends_before_it_answers(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def leave() -> None:
            connection, _ = listener.accept()
            connection.recv(100)
            connection.close()

        thread = threading.Thread(target=leave)
        thread.start()
        with pytest.raises(ControlError, match="ended before it answered"):
            ask(path, {"command": "status"})
        thread.join()


def test_a_daemon_that_does_not_answer(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(ControlError, match="did not answer within 0.2 s"):
            ask(path, {"command": "status"}, timeout_s=0.2)
    assert os.path.exists(path)
