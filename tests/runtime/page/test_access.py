"""What is answered to whom, by method and headers; and the file that holds the token."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import ConfigError
from runtime.page.access import Access, token_of

TOKEN = "0123456789abcdef"
TRUSTED = {"host": "127.0.0.1:8080", "x-homing-token": TOKEN}


def status(method: str, access: Access | None = None, **headers: str) -> int:
    """0 where it is answered; header names with _ for -."""
    access = access or Access(frozenset({"drone.local"}), TOKEN)
    named = {"host": "127.0.0.1:8080", **{name.replace("_", "-"): value for name, value in headers.items()}}
    refusal = access.refusal(method, named)
    return 0 if refusal is None else refusal.status


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("127.0.0.1:8080", True), ("localhost", True), ("LOCALHOST:1", True), ("[::1]:8080", True),
        ("192.168.4.1", True), ("drone.local:8080", True), ("drone.local.", True),
        ("evil.example", False), ("drone.local.evil.example", False), ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:8080", False), ("", False), ("a@127.0.0.1", False), ("127.0.0.1/x", False),
        ("127.0.0.1:port", False), ("127.0.0.1,evil.example", False), ("[::1", False),
    ],
)  # fmt: skip
def test_a_name_that_another_site_points_here_is_not_ours(host: str, answered: bool) -> None:
    assert status("GET", host=host) == (0 if answered else 421)


def test_what_changes_something_needs_the_token() -> None:
    assert status("POST", x_homing_token=TOKEN) == 0
    assert status("POST") == status("POST", x_homing_token="") == status("POST", x_homing_token=TOKEN + "0") == 401
    assert status("POST", x_homing_token=f"{TOKEN},{TOKEN}") == status("POST", x_homing_token="é") == 401
    assert status("POST", authorization=TOKEN, cookie=f"x-homing-token={TOKEN}") == 401  # what a browser adds by itself


def test_without_a_token_in_the_daemon_nothing_changes_anything() -> None:
    for given in ("", "None", TOKEN):
        assert status("POST", Access(frozenset(), None), x_homing_token=given) == 403


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_other_site_may_ask_even_with_the_token(method: str) -> None:
    for site in ("cross-site", "same-site"):
        assert status(method, x_homing_token=TOKEN, sec_fetch_site=site) == 403
    for origin in ("http://evil.example", "null", "http://127.0.0.1:8081", "http://127.0.0.1:8080.evil.example"):
        assert status(method, x_homing_token=TOKEN, origin=origin) == 403
    assert status(method, x_homing_token=TOKEN, sec_fetch_site="same-origin", origin="http://127.0.0.1:8080") == 0


def test_a_link_from_elsewhere_opens_the_page_and_no_more() -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert status("GET", **link) == 0
    assert status("GET", **{**link, "sec_fetch_dest": "iframe"}) == 403
    assert status("POST", x_homing_token=TOKEN, **link) == 403  # a form of another site


def test_other_methods_are_not_understood() -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get"):
        assert status(method, x_homing_token=TOKEN) == 405


def test_a_token_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = token_of(path)
    assert len(token) >= 32 and path.stat().st_mode & 0o777 == 0o600
    assert token_of(path) == token


def test_a_token_that_others_may_read_or_guess_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        token_of(path)
    path.chmod(0o600)
    for short in ("", "short", "\n" * 40, "zwölf Zeichen und mehr"):
        path.write_text(short)
        with pytest.raises(ConfigError, match="at least 16 characters"):
            token_of(path)
    path.write_bytes(b"\xff" * 40)
    with pytest.raises(ConfigError, match="cannot be used"):
        token_of(path)


def test_a_token_file_that_is_a_link_or_nowhere_is_refused(tmp_path: Path) -> None:
    theirs, link = tmp_path / "theirs", tmp_path / "token"
    link.symlink_to(theirs)
    for path in (link, tmp_path / "nowhere" / "token", tmp_path):
        with pytest.raises(ConfigError, match="token_file"):
            token_of(path)
    assert not theirs.exists()
