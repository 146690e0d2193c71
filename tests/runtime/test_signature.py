"""A signature vouches for every byte of a bundle, by one key, and for nothing else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from runtime.bundle import MANIFEST
from runtime.errors import BundleError, StorageError, UsageError
from runtime.signature import SIGNATURE, new_key, sign, signed_by, verify


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / MANIFEST).write_text('{"name": "mine"}')
    return folder


def test_what_was_signed_verifies_by_its_own_key_alone(bundle: Path, tmp_path: Path) -> None:
    mine, theirs = new_key(tmp_path / "mine"), new_key(tmp_path / "theirs")
    assert signed_by(bundle) is None
    signer = sign(bundle, tmp_path / "mine")
    assert verify(bundle, mine) == signer == signed_by(bundle)
    with pytest.raises(BundleError, match="is signed by .*, not by"):
        verify(bundle, theirs)


def test_a_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    new_key(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(UsageError, match="never overwritten"):
        new_key(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before


def test_one_changed_byte_breaks_it(bundle: Path, tmp_path: Path) -> None:
    public = new_key(tmp_path / "key")
    sign(bundle, tmp_path / "key")
    (bundle / MANIFEST).write_text('{"name": "mine!"}')
    with pytest.raises(BundleError, match="was changed after it was signed"):
        verify(bundle, public)


def test_a_bundle_without_a_signature_or_with_a_damaged_one(bundle: Path, tmp_path: Path) -> None:
    public = new_key(tmp_path / "key")
    with pytest.raises(BundleError, match="is not signed: homing bundle sign"):
        verify(bundle, public)
    (bundle / SIGNATURE).write_text('{"key": "x"')
    with pytest.raises(BundleError, match="is damaged"):
        verify(bundle, public)


def test_keys_that_are_none(bundle: Path, tmp_path: Path) -> None:
    public = new_key(tmp_path / "key")
    (tmp_path / "text").write_text("no key")
    curve = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "curve").write_bytes(curve)
    for wrong, reason in (("text", "no private key"), ("curve", "no Ed25519 key"), ("absent", "cannot be read")):
        with pytest.raises(UsageError, match=reason):
            sign(bundle, tmp_path / wrong)
    sign(bundle, tmp_path / "key")
    for wrong, reason in (("key", "no public key"), ("absent", "cannot be read")):
        with pytest.raises(UsageError, match=reason):
            verify(bundle, tmp_path / wrong)
    with pytest.raises(BundleError, match="is no bundle"):
        sign(tmp_path, tmp_path / "key")
    with pytest.raises(StorageError, match="cannot be written"):
        new_key(tmp_path / "absent" / "key")
    assert public.is_file()
