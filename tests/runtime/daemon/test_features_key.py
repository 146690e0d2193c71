"""`[bundle] features`: the daemon looks by learned local features too, where a folder of them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx")

from runtime.config.config import load_config  # noqa: E402
from runtime.daemon.assembly import assemble  # noqa: E402
from runtime.daemon.workers import InlineWorkers  # noqa: E402
from runtime.doctor.finding import Finding  # noqa: E402
from runtime.doctor.towers import Towers  # noqa: E402
from runtime.errors import BundleError  # noqa: E402
from tests.runtime.daemon.test_engine_status import CONFIG  # noqa: E402
from tests.runtime.features.patches import patch_features  # noqa: E402
from tests.runtime.small_bundle import small_bundle  # noqa: E402


def configured(folder: Path, more: str) -> Path:
    """A configuration with a bundle, and with lines of [bundle] besides."""
    small_bundle(folder / "bundle")
    (folder / "homing.toml").write_text(CONFIG.format(more=f"threads = 1\n{more}"))
    return folder / "homing.toml"


def features_found(path: Path) -> list[Finding]:
    return [one for one in Towers(load_config(path), None).findings() if one.what == "features"]


def test_a_folder_of_features_is_loaded_from_beside_the_configuration(tmp_path: Path) -> None:
    path = configured(tmp_path, 'features = "learned"')
    patch_features(tmp_path / "learned")
    assembly = assemble(load_config(path), InlineWorkers())
    assembly.close()
    (found,) = features_found(path)
    assert found.state == "ok" and "patches-64px" in found.found


def test_without_the_key_there_are_none(tmp_path: Path) -> None:
    path = configured(tmp_path, "")
    assert load_config(path).bundle.features is None
    assert features_found(path) == []


def test_a_folder_without_features_is_refused_at_the_start(tmp_path: Path) -> None:
    path = configured(tmp_path, 'features = "learned"')
    with pytest.raises(BundleError, match="homing-export --features"):
        assemble(load_config(path), InlineWorkers())
    assert not (tmp_path / "history.db").exists()
    (found,) = features_found(path)
    assert found.state == "wrong" and "homing-export --features" in found.found
