"""Whoever trains a tower can export it: every backbone of the table, from random weights, in fp32 and in fp16."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
if importlib.util.find_spec("timm") is None:
    pytest.skip("timm is not installed: pip install homing[train]", allow_module_level=True)

from export.assemble import Recipe, TowerFiles  # noqa: E402
from export.half import PRODUCTS  # noqa: E402
from export.layout import elem_types  # noqa: E402
from export.parity_images import extremes, resized  # noqa: E402
from export.source import Source  # noqa: E402
from export.torch_source import of_tower  # noqa: E402
from runtime.embedder.parity_set import PARITY_VIEWS, Crops, read_sheet  # noqa: E402
from runtime.values import ViewKind  # noqa: E402
from train.backbones import NONE, BackboneSpec  # noqa: E402
from train.embedding_head import HeadSpec  # noqa: E402
from train.towers import Towers, TowersSpec  # noqa: E402

SIZE_PX = 64  # the smallest that may be exported
# Where each has a stride of 16, as in the table.
STAGES = {
    "efficientnet_lite0": 10, "resnet18": -2, "alexnet": 2, "vgg16": -2, "resnet50": -2, "densenet121": -2,
    "convnext_tiny": -2, "vit_tiny_patch16_224": -1,
}  # fmt: skip
# Of the large ones a stage that has all their kinds of layers, each fewer times; the table's own are a release's.
EARLIER = {"densenet121": -3, "convnext_tiny": -3}
# AlexNet has what VGG has, ResNet-18 and EfficientNet-Lite0 what ResNet-50 has, ConvNeXt products.
OF_A_RELEASE = (*EARLIER, "vgg16", "resnet50", "vit_tiny_patch16_224")
ROWS = [
    *((name, stage) for name, stage in STAGES.items() if name not in OF_A_RELEASE),
    *(pytest.param(name, stage, marks=pytest.mark.long) for name, stage in EARLIER.items()),
    *(pytest.param(name, STAGES[name], marks=pytest.mark.long) for name in OF_A_RELEASE),
]
TRANSFORMS = ("convnext_tiny", "vit_tiny_patch16_224")  # by products of matrices
FLAT = (0, 1, 6, 7)  # of the extremes: black, white, red and blue


@pytest.fixture(scope="module")
def images() -> Crops:
    """A dozen views, each with its near neighbours, and the extremes."""
    return np.concatenate([resized(read_sheet(PARITY_VIEWS, 256)[:12], SIZE_PX), extremes(SIZE_PX)])


def _source(name: str, stage: int) -> Source:
    torch.manual_seed(0)
    spec = TowersSpec(backbones={ViewKind.DRONE: BackboneSpec(name, stage, NONE)}, head=HeadSpec(), size_px=SIZE_PX)
    return of_tower(Towers(spec).tower(ViewKind.DRONE), SIZE_PX)


@pytest.mark.parametrize(("name", "stage"), ROWS)
def test_every_backbone_of_the_table_is_exported_from_random_weights(
    name: str, stage: int, images: Crops, tmp_path: Path
) -> None:
    source = _source(name, stage)
    reference = source.embed(images)
    assert np.isfinite(reference[:12]).all()  # the gate asks of every view what it always asked
    recipe = Recipe("random", "none", "random.1", SIZE_PX, (40.0,), {ViewKind.DRONE: source}, ("fp32", "fp16"))
    files = TowerFiles(recipe, source, "tower", tmp_path, images, reference).files()
    assert set(files) == {"fp32", "fp16"}
    for precision, file in files.items():
        assert file.parity.cosine_min >= 0.9995 and file.parity.similarity_change <= 0.002, precision
        assert file.parity.top1_share == 1.0 and len(file.parity.runs) == 4
    assert files["fp16"].bytes < 0.6 * files["fp32"].bytes
    half = onnx.load(tmp_path / files["fp16"].file)
    types = elem_types(half)
    products = {node.op_type for node in half.graph.node if node.op_type in PRODUCTS
                and types[node.output[0]] == onnx.TensorProto.FLOAT16}  # fmt: skip
    assert products == ({"Conv", "MatMul"} if name in TRANSFORMS else {"Conv"})


def test_what_rounding_decides_is_left_out_and_nothing_else(images: Crops) -> None:
    certain = np.isfinite(_source("efficientnet_lite0", STAGES["efficientnet_lite0"]).embed(images)).all(axis=1)
    assert certain.all()  # its padding alone tells the cells of a flat crop apart
    said = np.isfinite(_source("vit_tiny_patch16_224", STAGES["vit_tiny_patch16_224"]).embed(images)).all(axis=1)
    assert said[:12].all() and not said[[12 + row for row in FLAT]].any()
