"""The bundle: what ships verifies; what is missing, damaged, foreign or newer is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.bundle import DEFAULT_BUNDLE, FORMAT_VERSION, MANIFEST, Bundle, write_acceptance
from runtime.errors import BundleError, StorageError
from runtime.values import ViewKind


@pytest.fixture
def bundle_path(tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    shutil.copytree(DEFAULT_BUNDLE, path)
    return path


def _edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    (path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _refusal(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.load(path)
    sentence = str(caught.value)
    assert sentence.endswith(".") or "update homing" in sentence
    assert "\n" not in sentence
    return sentence


def test_the_shipped_bundle_verifies_and_says_what_it_is() -> None:
    bundle = Bundle.load()
    assert bundle.path == DEFAULT_BUNDLE
    assert list(bundle.footprints_m) == sorted(bundle.footprints_m)
    assert set(bundle.views) == {ViewKind.DRONE, ViewKind.SATELLITE}
    assert {"fp32", "fp16"} <= set(bundle.manifest.towers[ViewKind.DRONE])
    assert bundle.manifest.licence and bundle.embedding_space_id
    for tower in bundle.manifest.towers.values():
        for model in tower.values():
            assert model.bytes == (bundle.path / model.file).stat().st_size < 20e6
            assert model.parity.cosine_min >= 0.9995 and model.parity.same_top1


def test_towers_that_share_weights_name_one_file() -> None:
    bundle = Bundle.load()
    files = {bundle.model(view, "fp32").file for view in bundle.views}
    assert len(files) == 1


def test_a_directory_that_is_no_bundle(tmp_path: Path) -> None:
    assert "is no bundle" in _refusal(tmp_path)
    assert "is no bundle" in _refusal(tmp_path / "absent")


def test_a_manifest_cut_short(bundle_path: Path) -> None:
    text = (bundle_path / MANIFEST).read_text(encoding="utf-8")
    (bundle_path / MANIFEST).write_text(text[: len(text) // 2], encoding="utf-8")
    assert "not JSON" in _refusal(bundle_path)


@pytest.mark.parametrize("text", ["[]", "3", '{"name": "x"}', '{"format_version": "1"}'])
def test_a_manifest_that_is_something_else(bundle_path: Path, text: str) -> None:
    (bundle_path / MANIFEST).write_text(text, encoding="utf-8")
    assert "no format version" in _refusal(bundle_path)


def test_a_manifest_that_is_no_text(bundle_path: Path) -> None:
    (bundle_path / MANIFEST).write_bytes(b"\xff\xfe\x00\x80")
    assert "damaged" in _refusal(bundle_path)


def test_a_newer_format(bundle_path: Path) -> None:
    _edit(bundle_path, lambda m: m.update(format_version=FORMAT_VERSION + 1))
    assert f"format {FORMAT_VERSION + 1}" in _refusal(bundle_path)


def test_in_the_first_format_views_share_whole_embeddings(bundle_path: Path) -> None:
    _edit(bundle_path, lambda m: m.pop("appearance_dim") and m.update(format_version=1))
    bundle = Bundle.load(bundle_path)
    assert bundle.shared_dim == bundle.embedding_dim > Bundle.load().shared_dim


def test_a_missing_field_is_named(bundle_path: Path) -> None:
    _edit(bundle_path, lambda m: m.pop("embedding_space_id"))
    assert "embedding_space_id" in _refusal(bundle_path)


def test_fields_added_later_are_let_through(bundle_path: Path) -> None:
    _edit(bundle_path, lambda m: m.update(signature="later"))
    assert Bundle.load(bundle_path).name == Bundle.load().name


@pytest.mark.parametrize("folder", ["", "parity"])
def test_a_file_that_is_gone(bundle_path: Path, folder: str) -> None:
    victim = next(p for p in sorted((bundle_path / folder).iterdir()) if p.suffix in (".onnx", ".webp"))
    victim.unlink()
    assert victim.name in _refusal(bundle_path)


@pytest.mark.parametrize("suffix", [".onnx", ".png", ".webp", ".npy"])
def test_one_changed_bit_is_found(bundle_path: Path, suffix: str) -> None:
    victim = sorted(bundle_path.rglob(f"*{suffix}"))[0]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    assert victim.name in _refusal(bundle_path) and "hash" in _refusal(bundle_path)


@pytest.mark.parametrize("file", ["/etc/hostname", "../elsewhere.onnx"])
def test_a_file_outside_the_bundle_is_not_read(bundle_path: Path, file: str) -> None:
    _edit(bundle_path, lambda m: m["towers"]["drone"]["fp32"].update(file=file))
    assert "outside the bundle" in _refusal(bundle_path)


def test_a_tower_or_precision_it_does_not_have() -> None:
    bundle = Bundle.load()
    with pytest.raises(BundleError, match="no ground tower"):
        bundle.model(ViewKind.GROUND, "fp32")
    with pytest.raises(BundleError, match="no int8 drone tower"):
        bundle.model(ViewKind.DRONE, "int8")


def test_a_calibration_is_written_and_replaced_per_ordered_pair(bundle_path: Path) -> None:
    _edit(bundle_path, lambda m: m.update(calibration=[]))
    assert Bundle.load(bundle_path).acceptance(ViewKind.SATELLITE, ViewKind.DRONE) is None
    write_acceptance(bundle_path, ViewKind.SATELLITE, ViewKind.DRONE, {"threshold": 0.5})
    write_acceptance(bundle_path, ViewKind.DRONE, ViewKind.SATELLITE, {"threshold": 0.7})
    write_acceptance(bundle_path, ViewKind.SATELLITE, ViewKind.DRONE, {"threshold": 0.6, "curve": [0.0, 1.0]})
    bundle = Bundle.load(bundle_path)
    assert bundle.acceptance(ViewKind.SATELLITE, ViewKind.DRONE) == {"threshold": 0.6, "curve": [0.0, 1.0]}
    assert bundle.acceptance(ViewKind.DRONE, ViewKind.SATELLITE) == {"threshold": 0.7}
    assert bundle.acceptance(ViewKind.DRONE, ViewKind.DRONE) is None
    assert bundle.embedding_space_id == Bundle.load().embedding_space_id


def test_a_calibration_that_cannot_be_written_leaves_the_old_one(bundle_path: Path) -> None:
    (bundle_path / (MANIFEST + ".part")).mkdir()  # stands where the draft would go
    with pytest.raises(StorageError, match="cannot be written"):
        write_acceptance(bundle_path, ViewKind.DRONE, ViewKind.DRONE, {"threshold": 0.1})
    Bundle.load(bundle_path)
