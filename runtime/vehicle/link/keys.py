"""The signing key, from a file that its owner alone may read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from runtime.errors import ConfigError
from runtime.mavlink.signing import SigningKey

_PASSPHRASE = "passphrase:"


def read_key(path: Path) -> SigningKey:
    """The key in a file that its owner alone may read: 64 hexadecimal digits, or ``passphrase:`` and words, whose
    SHA-256 is the key, as MAVProxy and Mission Planner make it.

    Raises:
        ConfigError: the file is missing, open to others, or holds no key. What it holds is never told.
    """
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4096)
    except OSError as error:
        raise ConfigError(f"the signing key {path} cannot be read: {error.strerror or error}.") from None
    if mode & 0o077:
        raise ConfigError(f"the signing key {path} may be read by others; close it with: chmod 600 {path}")
    try:
        return _key(text.decode("utf-8").strip())
    except ValueError:
        raise ConfigError(
            f"{path} holds no signing key: write 64 hexadecimal digits, or {_PASSPHRASE} and the words."
        ) from None


def _key(text: str) -> SigningKey:
    if text.startswith(_PASSPHRASE):
        words = text.removeprefix(_PASSPHRASE).strip()
        if not words:
            raise ValueError("no words")
        return SigningKey(hashlib.sha256(words.encode()).digest())
    return SigningKey(bytes.fromhex(text))
