"""Depthwise gradients in float32 are those in bfloat16, and only they are touched."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from train.depthwise import SingleDepthwise  # noqa: E402
from train.precision import computing_in  # noqa: E402


def network(bias: bool) -> nn.Sequential:
    """A separable convolution of stride 2 and one with dilation, behind a dense and a grouped one."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, groups=2),
        nn.Conv2d(8, 8, 5, stride=2, padding=2, groups=8, bias=bias), nn.ReLU6(),
        nn.Conv2d(8, 8, (3, 3), padding=(1, 2), dilation=2, groups=8, bias=bias), nn.Conv2d(8, 4, 1),
    )  # fmt: skip
    return layers.to(memory_format=torch.channels_last)


def gradients(layers: nn.Sequential, single: bool) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """What comes out and every parameter's gradient, under autocast."""
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 20, 20)).astype(np.float32))
    layers.zero_grad()
    plain = torch.autocast("cpu", torch.bfloat16)
    with computing_in("bf16", "cpu") if single else plain:
        out = layers(x.to(memory_format=torch.channels_last))
    (out.float() * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
    return out, {name: p.grad.clone() for name, p in layers.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("bias", [False, True])
def test_they_are_those_of_bfloat16(bias: bool) -> None:
    layers = network(bias)
    (plain, expected), (out, found) = gradients(layers, single=False), gradients(layers, single=True)
    assert expected.keys() == found.keys() and all(gradient.abs().sum() > 0 for gradient in expected.values())
    torch.testing.assert_close(out, plain, rtol=2**-7, atol=2**-7)  # a bias is added behind a rounding
    for name, gradient in expected.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found[name] / scale, gradient / scale, rtol=0.02, atol=0.02, msg=name)


def seen_by(mode: SingleDepthwise, layers: nn.Module, x: torch.Tensor) -> set[str]:
    """The names of the graph's nodes that a pass forward leaves."""
    with mode:
        waiting, names = [layers(x).grad_fn], set[str]()
    while waiting:
        node = waiting.pop()
        if node is not None:
            names.add(type(node).__name__)
            waiting += [following for following, _ in node.next_functions]
    return names


def test_only_depthwise_convolutions_under_autocast_are_touched() -> None:
    x = torch.ones(1, 8, 6, 6)
    depthwise, grouped = nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 3, groups=4)
    assert "_DepthwiseBackward" not in seen_by(SingleDepthwise(), depthwise, x)  # no autocast: float32 anyway
    with torch.autocast("cpu", torch.bfloat16):
        assert "_DepthwiseBackward" in seen_by(SingleDepthwise(), depthwise, x)
        assert "_DepthwiseBackward" not in seen_by(SingleDepthwise(), grouped, x)
        same = nn.Conv2d(8, 8, 3, groups=8, padding="same")
        assert "_DepthwiseBackward" not in seen_by(SingleDepthwise(), same, x)


def test_float32_is_left_alone() -> None:
    x = torch.ones(1, 8, 6, 6)
    with computing_in("fp32", "cpu"):
        assert nn.Conv2d(8, 8, 3, groups=8)(x).dtype is torch.float32
