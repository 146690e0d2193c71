"""A small network of local features, as a real file: the brightest pixels, described by the pixels about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from runtime.bundle import sha256_of
from runtime.features.folder import FORMAT_VERSION, Faithful, FeatureFile, FeatureManifest, write_manifest

REACH = 2  # pixels about a point that describe it, each way


def patch_features(folder: Path, size_px: int = 64, points: int = 24) -> Path:
    """A folder of features such as `homing-export --features` makes."""
    folder.mkdir()
    path = folder / "patches.fp32.onnx"
    path.write_bytes(_model(size_px, points).SerializeToString())
    parity = Faithful(
        reference="itself", device="test", images=0, points_share=1.0, cosine_min=1.0, similarity_change=0.0
    )
    file = FeatureFile(file=path.name, sha256=sha256_of(path), bytes=path.stat().st_size, parity=parity)
    write_manifest(folder, FeatureManifest(
        format_version=FORMAT_VERSION, name="patches", licence="none", input_size_px=size_px, points=points,
        descriptor_dim=(2 * REACH + 1) ** 2, files={"fp32": file},
    ))  # fmt: skip
    return folder


def _model(size: int, points: int) -> onnx.ModelProto:
    side = 2 * REACH + 1
    kernels = np.eye(side**2, dtype=np.float32).reshape(side**2, 1, side, side)
    kernels -= np.float32(1.0 / side**2)  # less the mean: so numbers of either sign
    held = {
        "kernels": kernels, "flat": np.array([0, -1]), "cells": np.array([0, side**2, -1]), "k": np.array([points]),
        "grey": np.array([3]), "channel": np.array([1]), "size": np.array(size), "last": np.array([-1]),
        "half": np.array(0.5, np.float32), "tiny": np.array(1e-6, np.float32),
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("Cast", ["crops"], ["single"], to=TensorProto.FLOAT),
        node("ReduceMean", ["single", "grey"], ["mean"], keepdims=0),
        node("Reshape", ["mean", "flat"], ["row"]),
        node("TopK", ["row", "k"], ["scores", "at"], axis=1),
        node("Mod", ["at", "size"], ["column"]),
        node("Div", ["at", "size"], ["line"]),
        node("Unsqueeze", ["column", "last"], ["x"]),
        node("Unsqueeze", ["line", "last"], ["y"]),
        node("Concat", ["x", "y"], ["xy"], axis=-1),
        node("Cast", ["xy"], ["whole"], to=TensorProto.FLOAT),
        node("Add", ["whole", "half"], ["points"]),
        node("Unsqueeze", ["mean", "channel"], ["image"]),
        node("Conv", ["image", "kernels"], ["patches"], pads=[REACH] * 4),
        node("Reshape", ["patches", "cells"], ["listed"]),
        node("Transpose", ["listed"], ["pixels"], perm=[0, 2, 1]),
        node("Unsqueeze", ["at", "last"], ["where"]),
        node("GatherND", ["pixels", "where"], ["taken"], batch_dims=1),
        node("ReduceL2", ["taken", "last"], ["length"], keepdims=1),
        node("Add", ["length", "tiny"], ["safe"]),
        node("Div", ["taken", "safe"], ["descriptors"]),
    ]
    outputs = {"points": [points, 2], "scores": [points], "descriptors": [points, side**2]}
    graph = helper.make_graph(
        nodes, "patches",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", size, size, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
