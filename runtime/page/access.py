"""Who may ask for what: decided from a request's method and headers alone, before anything else looks at it.

A browser on the same computer or network will carry any web site's requests here. So a request is answered only where
its `Host` is an address or a name of ours (a site that points its own name at us, DNS rebinding, shows that name),
where the browser says that no other site is behind it (`Sec-Fetch-Site`, `Origin`), and, if it could change anything,
where it carries the token in a header, which no other site's page can add.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from runtime.errors import ConfigError

TOKEN_HEADER = "x-homing-token"
MIN_TOKEN_CHARACTERS = 16  # 80 bits and more of what `secrets` makes; less can be guessed over a network
_LOOKS = ("GET", "HEAD")
_OURSELVES = ("same-origin", "none")  # Sec-Fetch-Site; "none": typed, or from a bookmark


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP ``status`` and why, in a sentence."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Access:
    """``hosts``: names under which the page may be asked for, besides addresses and localhost. ``token``: what allows
    changes; None where none are allowed."""

    hosts: frozenset[str] = frozenset()
    token: str | None = None

    def refusal(self, method: str, headers: Mapping[str, str]) -> Refusal | None:
        """Why a request is not answered; None where it is. ``headers`` by lower-case name."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return Refusal(421, f"this page is not served as {host or 'nothing'}; see [page] hosts.")
        if method not in (*_LOOKS, "POST"):
            return Refusal(405, "only GET, HEAD and POST are understood.")
        if _of_another_site(method, headers, host):
            return Refusal(403, "requests of other web sites are not answered.")
        return None if method in _LOOKS else self._untrusted(headers)

    def _untrusted(self, headers: Mapping[str, str]) -> Refusal | None:
        if self.token is None:
            return Refusal(403, "this page only shows; [page] control = true lets it control too.")
        given = headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return Refusal(401, "the token is missing or wrong; it is in the file that `homing run` names.")
        return None

    def _is_ours(self, host: str) -> bool:
        """An address cannot be pointed at another computer, so any will do; a name can."""
        name = _name_of(host)
        if name is None:
            return False
        try:
            ip_address(name)
        except ValueError:
            return name == "localhost" or name in self.hosts
        return True


def token_of(path: Path) -> str:
    """The token in a file of this user's alone; a new one where there is no file.

    Raises:
        ConfigError: the file cannot be used, others may read it, or the token is too short.
    """
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(descriptor, "w") as file:
            token = secrets.token_urlsafe(24)
            file.write(token + "\n")
        return token
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"[page] token_file {path} cannot be used: {why}.") from None


def _read(path: Path) -> str:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"[page] token_file {path} may be read by other users; run `chmod 600 {path}`.")
        token = file.read(4096).strip()
    if len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"[page] token_file {path} holds no token of at least {MIN_TOKEN_CHARACTERS} characters; "
            "remove it, and a new one is made."
        )
    return token


def _of_another_site(method: str, headers: Mapping[str, str], host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return True
    site = headers.get("sec-fetch-site")
    if site is None or site in _OURSELVES:
        return False
    opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return not (method in _LOOKS and opened)  # a link from elsewhere may open the page, and no more


def _name_of(host: str) -> str | None:
    """The name in a Host header, without its port, in lower case; None where it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is none
    except ValueError:
        return None
    if not parts.hostname or parts.username is not None or parts.path or parts.query or parts.fragment:
        return None
    return parts.hostname.rstrip(".").lower()
