"""Versions of the bundle: whole at every instant, changed on the ground alone, and a way back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.bundle import MANIFEST, Bundle
from runtime.bundle_store import BundleStore, version_of
from runtime.control.control import ControlServer
from runtime.errors import BundleError
from tests.runtime.cli.called import homing
from tests.runtime.small_bundle import small_bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    """Two bundles of one name; the second was trained anew."""
    folder = tmp_path_factory.mktemp("made")
    first, second = small_bundle(folder / "first"), small_bundle(folder / "second")
    manifest = json.loads((second.path / MANIFEST).read_text())
    manifest["training"] = {"again": "yes"}
    (second.path / MANIFEST).write_text(json.dumps(manifest))
    return first, Bundle.load(second.path)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # where the daemon's socket is looked for
    return tmp_path / "bundles"


def asked(store: Path, *words: str | Path) -> dict[str, Any]:
    done = homing("bundle", *words, "--store", store, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_an_update_and_the_way_back(made: tuple[Bundle, Bundle], store: Path) -> None:
    first, second = made
    for bundle in made:
        assert asked(store, "install", bundle.path)["current"] == version_of(bundle)
        assert Bundle.load(store / "current").manifest == bundle.manifest
    assert asked(store, "rollback")["current"] == version_of(first)
    assert Bundle.load(store / "current").manifest == first.manifest
    rows = {row["version"]: (row["current"], row["previous"]) for row in asked(store, "list")["bundles"]}
    assert rows == {version_of(first): (True, False), version_of(second): (False, True)}
    assert asked(store, "use", version_of(second))["current"] == version_of(second)
    assert {path.name for path in store.iterdir()} == {*rows, "current", "previous"}


def test_one_that_is_damaged_or_unknown_changes_nothing(made: tuple[Bundle, Bundle], store: Path) -> None:
    first, second = made
    kept = BundleStore(store)
    kept.use(kept.add(first))
    damaged = shutil.copytree(second.path, store.parent / "damaged")
    model = next(damaged.glob("*.onnx"))
    model.write_bytes(model.read_bytes()[:-1])
    assert homing("bundle", "install", damaged, "--store", store).returncode == 1
    later = kept.add(second)
    model = next((store / later).glob("*.onnx"))
    model.write_bytes(model.read_bytes()[:-1])
    with pytest.raises(BundleError):
        kept.use(later)
    with pytest.raises(BundleError, match="holds no bundle gone"):
        kept.use("gone")
    with pytest.raises(BundleError, match="to go back to"):
        kept.roll_back()
    assert Bundle.load(store / "current").manifest == first.manifest


@pytest.mark.parametrize("armed", [True, False, None])
def test_nothing_is_changed_under_a_vehicle_that_is_armed(
    made: tuple[Bundle, Bundle], store: Path, tmp_path: Path, armed: bool | None
) -> None:
    def answer(request: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        reply({"schema": 1, "vehicle": {"armed": armed}})

    server = ControlServer(tmp_path / "homing.sock", answer)
    try:
        done = homing("bundle", "install", made[0].path, "--store", store)
    finally:
        server.close()
    if armed:
        assert done.returncode == 2 and "is armed" in done.stderr and not store.exists()
    else:
        assert done.returncode == 0 and (store / "current").is_symlink()
