"""`homing bundle`: what is in it, whether it is whole, and whose it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from runtime.bundle import MANIFEST, Bundle
from runtime.cli.main import app
from runtime.errors import BundleError, HomingError, UsageError
from tests.runtime.small_bundle import small_bundle


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return small_bundle(tmp_path / "bundle").path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["bundle", *map(str, arguments)])


def refusal(*arguments: str | Path) -> HomingError:
    error = run(*arguments).exception
    assert isinstance(error, HomingError), error
    return error


def test_show_names_every_file_with_hash_and_parity() -> None:
    bundle = Bundle.load()
    said = run("show").stdout
    for tower in bundle.manifest.towers.values():
        for model in tower.values():
            assert model.file in said and model.sha256 in said and f"{model.parity.cosine_min:.6f}" in said
    assert bundle.embedding_space_id in said and "satellite in drone" in said and "says nothing of a GPU" in said
    assert json.loads(run("show", "--json").stdout)["manifest"] == bundle.manifest.model_dump(mode="json")


def test_verify_runs_the_towers_and_says_by_what(small: Path) -> None:
    result = run("verify", small, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["parity"] > 0.9999 and "CPU" in answer["backend"] and answer["signed_by"] is None
    assert "whole" in run("verify", small).stdout


@pytest.mark.parametrize("file", ["tower.fp16.onnx", "parity/few.png", "parity/drone.npy"])
def test_verify_finds_one_changed_bit_and_a_truncated_file(small: Path, file: str) -> None:
    data = bytearray((small / file).read_bytes())
    data[len(data) // 2] ^= 4
    (small / file).write_bytes(data)
    assert file in str(refusal("verify", small))
    (small / file).write_bytes(data[: len(data) // 2])
    assert "its hash differs" in str(refusal("verify", small))


def test_what_is_signed_is_required_by_its_key(small: Path, tmp_path: Path) -> None:
    assert run("sign", small, "--new-key", tmp_path / "mine").exit_code == 0
    assert run("verify", small, "--signed-by", tmp_path / "mine.pub").exit_code == 0
    assert run("sign", small, "--new-key", tmp_path / "theirs").exit_code == 0
    assert isinstance(refusal("verify", small, "--signed-by", tmp_path / "mine.pub"), BundleError)
    assert run("sign", small, "--key", tmp_path / "mine").exit_code == 0
    manifest = json.loads((small / MANIFEST).read_text())
    (small / MANIFEST).write_text(json.dumps({**manifest, "licence": "none"}))
    assert "changed after it was signed" in str(refusal("verify", small, "--signed-by", tmp_path / "mine.pub"))


def test_signing_asks_for_one_key_and_never_touches_what_ships(small: Path, tmp_path: Path) -> None:
    assert isinstance(refusal("sign", small), UsageError)
    assert "copy it elsewhere" in str(refusal("sign", Bundle.load().path, "--new-key", tmp_path / "key"))
    assert not (tmp_path / "key").exists()
