"""Depthwise convolutions whose gradients are taken in float32: on a CPU, several times faster than in bfloat16.

oneDNN has fast kernels for a depthwise convolution's pass forward in bfloat16, and for its gradients in float32 with
channels last, but falls back to plain loops for its gradients in bfloat16: they took two thirds of a training step of
EfficientNet-Lite0. The sums are also truer so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class SingleDepthwise(TorchFunctionMode):
    """While it is entered, depthwise convolutions that autocast would compute in bfloat16 on a CPU take their
    gradients in float32; everything else is as ever."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        keywords = dict(kwargs or {})
        if function is functional.conv2d and torch.is_autocast_enabled("cpu"):
            given = _Given.of(*args, **keywords)
            if given.depthwise and torch.get_autocast_dtype("cpu") is torch.bfloat16:
                return given.convolved()
        return function(*args, **keywords)


class _Given:
    """The arguments of one call of conv2d."""

    def __init__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> None:
        self.x, self.weight, self.bias, self.groups = x, weight, bias, groups
        self.stride, self.padding, self.dilation = _two(stride), padding, _two(dilation)

    @classmethod
    def of(
        cls, input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1,
    ) -> _Given:  # fmt: skip
        """By position or by name, as `torch.nn.functional.conv2d` takes them."""
        return cls(input, weight, bias, stride, padding, dilation, groups)

    @property
    def depthwise(self) -> bool:
        """One filter a channel, on a CPU, with padding in numbers."""
        each = 1 < self.groups == self.x.shape[-3] == self.weight.shape[0]
        return each and self.x.device.type == "cpu" and not isinstance(self.padding, str)

    def convolved(self) -> Tensor:
        x, weight = self.x.to(torch.bfloat16), self.weight.to(torch.bfloat16)
        y: Tensor = _Depthwise.apply(x, weight, self.stride, _two(self.padding), self.dilation)  # type: ignore[no-untyped-call]
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, stride: list[int], padding: list[int], dilation: list[int]
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, weight)
        ctx.how = stride, padding, dilation
        return torch.conv2d(x, weight, None, stride, padding, dilation, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.how
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradients[0].float(), x.float(), weight.float(), None, stride, padding, dilation, False, [0, 0],
            len(weight), [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False],
        )  # fmt: skip
        cast = [None if g is None else g.to(x.dtype) for g in (of_x, of_weight)]
        return cast[0], cast[1], None, None, None


def _two(value: Any) -> list[int]:
    return [int(value)] * 2 if isinstance(value, int) else [int(v) for v in value]
