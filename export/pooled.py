"""The ImageNet network that the simulator judges a world's hardness by: ``python export/pooled.py``.

EfficientNet-Lite0 with its last features averaged. The weights are stored in half precision, which halves the file;
the sums are made in single precision, so the file says what the network says.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, cast

if not __package__:  # run as a file: the checkout root, not this folder, leads the path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
import onnx
import typer
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from export.writer import write_onnx
from runtime.whole_file import write_whole
from train.weights import LITE0_LAST, lite0_imagenet

SIZE_PX = 224
FILE = Path(__file__).parents[1] / "sim" / "pooled.onnx"
_LARGE = 256  # elements: smaller tensors are not worth a cast


class PooledLastLayer(nn.Module):
    """(N, 224, 224, 3) uint8 RGB to (N, 1280) float32."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = lite0_imagenet((LITE0_LAST,)).backbone.eval()
        self.backbone.fuse_()

    def forward(self, crops: Tensor) -> Tensor:
        features = self.backbone(crops)
        return cast(Tensor, features[LITE0_LAST].mean(dim=(2, 3)))


def write_pooled(path: Path) -> None:
    """Write the network with its one output, ``pooled``.

    Raises:
        StorageError: the file cannot be written.
    """
    write_onnx(PooledLastLayer(), path, SIZE_PX, "EfficientNet-Lite0, ImageNet, last layer pooled", outputs=("pooled",))
    model = onnx.load(path)
    _store_halved(model)
    write_whole(path, model.SerializeToString(deterministic=True))


def _store_halved(model: onnx.ModelProto) -> None:
    """Large weights in half precision, each behind a cast that the engine folds away when it loads the file."""
    casts = []
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < _LARGE:
            continue
        name = weights.name
        weights.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]  # they named what is now computed
    onnx.checker.check_model(model, full_check=True)


def main(out: Annotated[Path, typer.Option(help="The file to write.")] = FILE) -> None:
    """Write the network."""
    write_pooled(out)
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    typer.run(main)
