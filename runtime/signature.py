"""Who vouches for a bundle: an Ed25519 signature over its manifest, which names the hash of every other file.

A signature is a file beside the manifest. It says nothing by itself, for anyone can sign; the daemon is told which
public key it must be by (``[bundle] signed_by``).
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from runtime.bundle import MANIFEST
from runtime.errors import BundleError, StorageError, UsageError
from runtime.whole_file import write_whole

SIGNATURE = "bundle.sig"
_PREFIX = b"homing bundle 1\n"  # a signature made for something else is none for a bundle


def new_key(path: Path) -> Path:
    """Write a new private key, readable by its owner alone, and its public key as ``.pub``; the latter's path.

    Raises:
        UsageError: there is a file already.
        StorageError: it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    public = path.with_name(path.name + ".pub")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except FileExistsError as error:
        raise UsageError(f"{path} exists: a key is never overwritten.") from error
    except OSError as error:
        raise StorageError(f"the key {path} cannot be written: {error.strerror}.") from error
    return public


def sign(bundle: Path, private_key: Path) -> str:
    """Sign the bundle's manifest as it stands; the fingerprint of the key.

    Raises:
        UsageError: the key is no private Ed25519 key.
        BundleError: there is no manifest.
        StorageError: the signature cannot be written.
    """
    key = _private(private_key)
    signature = key.sign(_PREFIX + _manifest(bundle))
    public = key.public_key()
    content = {"algorithm": "Ed25519", "key": fingerprint(public), "signature": base64.b64encode(signature).decode()}
    write_whole(bundle / SIGNATURE, (json.dumps(content, indent=2) + "\n").encode())
    return fingerprint(public)


def signed_by(bundle: Path) -> str | None:
    """The fingerprint that the signature names, unverified; None where there is no signature.

    Raises:
        BundleError: the signature's file is damaged.
    """
    found = _signature(bundle)
    return None if found is None else found[0]


def verify(bundle: Path, public_key: Path) -> str:
    """Hold the signature against a public key; the key's fingerprint.

    Raises:
        UsageError: the key is no public Ed25519 key.
        BundleError: the bundle is not signed, by another key, or was changed since.
    """
    key = _public(public_key)
    found = _signature(bundle)
    if found is None:
        raise BundleError(f"the bundle {bundle} is not signed: homing bundle sign {bundle} --key KEY.")
    named, signature = found
    if named != fingerprint(key):
        raise BundleError(f"the bundle {bundle} is signed by {named}, not by {fingerprint(key)} of {public_key}.")
    try:
        key.verify(signature, _PREFIX + _manifest(bundle))
    except InvalidSignature:
        raise BundleError(f"the bundle {bundle} was changed after it was signed: its signature does not fit.") from None
    return named


def fingerprint(key: Ed25519PublicKey) -> str:
    """The public key itself, 32 bytes in base64: short enough to read out."""
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def _signature(bundle: Path) -> tuple[str, bytes] | None:
    path = bundle / SIGNATURE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return str(content["key"]), base64.b64decode(content["signature"], validate=True)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"the signature {path} is damaged: {error}.") from error


def _manifest(bundle: Path) -> bytes:
    try:
        return (bundle / MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(f"{bundle} is no bundle: {MANIFEST} cannot be read ({error.strerror}).") from error


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise UsageError(f"the key {path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is no private key without a password.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} is no Ed25519 key: homing bundle sign --new-key makes one.")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the key {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{path} is no public key; the file that ends in .pub is.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} is no Ed25519 key.")
    return key
