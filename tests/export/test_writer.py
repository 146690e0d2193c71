"""The ONNX file: it computes what torch computes, its bytes depend on the tower alone, and it takes raw pixels."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from export.half import halved  # noqa: E402
from export.onnx_file import write  # noqa: E402
from export.torch_source import of_tower  # noqa: E402
from export.typed_walk import complaints  # noqa: E402
from export.writer import exported, write_onnx  # noqa: E402
from runtime.embedder.onnx_engine import OnnxEngine  # noqa: E402
from runtime.errors import BundleError, StorageError  # noqa: E402
from tests.export.tiny import CHANNELS, DEPTH, SIZE_PX, TinyBackbone, tiny_graph, tiny_tower  # noqa: E402
from train.embedding_head import EmbeddingHead, HeadSpec  # noqa: E402
from train.tower import Tower  # noqa: E402


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("writer") / "tower.onnx"
    write_onnx(tiny_tower(), path, SIZE_PX, "tiny.1")
    return path


def test_it_computes_what_torch_computes(written: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (5, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    with torch.inference_mode():
        vectors, maps = (output.numpy() for output in tiny_tower()(torch.from_numpy(crops)))
    ours, our_maps = OnnxEngine(written, threads=1).run(crops)
    np.testing.assert_allclose(ours, vectors, atol=1e-5)
    np.testing.assert_allclose(our_maps, maps, atol=1e-4)


def test_cells_that_do_not_divide_the_features_are_exported_too(tmp_path: Path) -> None:
    tower = Tower(TinyBackbone(), EmbeddingHead(HeadSpec(cells=3, map_channels=6), CHANNELS), DEPTH).eval()
    single = exported(tower, SIZE_PX)  # of a grid of 4 x 4
    write(single, tmp_path / "thirds.onnx", "thirds")
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    with torch.inference_mode():
        vectors = tower(torch.from_numpy(crops))[0].numpy()
    ours, _ = OnnxEngine(tmp_path / "thirds.onnx", threads=1).run(crops)
    assert ours.shape == (3, 9 * CHANNELS)
    np.testing.assert_allclose(ours, vectors, atol=1e-5)
    assert complaints(halved(single)) == []


def test_the_batch_is_free_and_the_input_raw_pixels(written: Path) -> None:
    model = onnx.load(written)
    (crops,) = model.graph.input
    assert crops.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    sides = [d.dim_param or d.dim_value for d in crops.type.tensor_type.shape.dim]
    assert isinstance(sides[0], str) and sides[1:] == [SIZE_PX, SIZE_PX, 3]
    assert [output.name for output in model.graph.output] == ["embedding", "map"]
    assert model.graph.node[0].op_type == "Cast" and model.graph.node[0].input[0] == crops.name
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]


def test_the_exporter_tells_the_user_nothing_of_itself(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    tower = tiny_tower()
    assert isinstance(tower.head, EmbeddingHead)
    tower.head.whiten = None  # no map: an output that is None, which torch would tell of
    graph = of_tower(tower, SIZE_PX).graph(18).graph
    assert [output.name for output in graph.output] == ["embedding"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
def test_the_same_tower_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_onnx(tiny_tower(), tmp_path / "again.onnx", SIZE_PX, "tiny.1")
    assert (tmp_path / "again.onnx").read_bytes() == written.read_bytes()
    write_onnx(tiny_tower(seed=1), tmp_path / "other.onnx", SIZE_PX, "tiny.1")
    assert (tmp_path / "other.onnx").read_bytes() != written.read_bytes()


def test_nothing_in_it_names_a_machine_or_a_file(written: Path) -> None:
    data = written.read_bytes()
    for trace in (b"stack_trace", b".py", b"site-packages", str(Path.cwd()).encode(), b"pkg.torch"):
        assert trace not in data
    assert b"tiny.1" in data


def test_the_transpose_follows_the_cast_and_the_numbers_stay_the_same(written: Path) -> None:
    operators = [node.op_type for node in onnx.load(written).graph.node[:4]]
    assert operators == ["Cast", "Transpose", "Sub", "Div"]


def test_constants_of_each_channel_meet_their_channel_behind_the_transpose(tmp_path: Path) -> None:
    class ByChannel(torch.nn.Module):
        def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x = (crops.to(torch.float32) - torch.tensor([10.0, 20.0, 30.0])) / torch.tensor([2.0, 3.0, 4.0])
            x = x.permute(0, 3, 1, 2)
            return x.mean(dim=(2, 3)), x

    class Even(ByChannel):
        def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            half = torch.tensor([127.5, 127.5, 128.0])
            x = ((crops.to(torch.float32) - half) / half).permute(0, 3, 1, 2)
            return x.mean(dim=(2, 3)), x

    write_onnx(Even(), tmp_path / "even.onnx", 8, "even")  # whose two constants are one
    write_onnx(ByChannel(), tmp_path / "channels.onnx", 8, "channels")
    crops = np.random.default_rng(3).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    _, ours = OnnxEngine(tmp_path / "channels.onnx", threads=1).run(crops)
    expected = (crops.astype(np.float32) - (10, 20, 30)) / (2, 3, 4)
    np.testing.assert_allclose(ours, expected.transpose(0, 3, 1, 2), rtol=1e-6)
    graph = onnx.load(tmp_path / "channels.onnx").graph
    assert [node.op_type for node in graph.node[:2]] == ["Cast", "Transpose"]
    assert {i.name for i in graph.initializer} <= {name for node in graph.node for name in node.input}


def test_nodes_are_named_by_where_they_belong(written: Path) -> None:
    names = {node.name: node.op_type for node in onnx.load(written).graph.node}
    products = [name for name, kind in names.items() if kind == "Conv"]
    assert [name.split("/")[0] for name in products] == ["backbone", "backbone", "head"]
    assert all(name.startswith("head/") for name, kind in names.items() if kind == "Sqrt")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        write(tiny_graph(), tmp_path / "absent" / "tower.onnx", "tiny.1")


def test_a_file_that_does_not_take_pixels_is_no_tower(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["embedding"])],
        "g",
        [value("x", onnx.TensorProto.FLOAT, [1, 4])],
        [value("embedding", onnx.TensorProto.FLOAT, [1, 4])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "float.onnx")
    with pytest.raises(BundleError, match="is not a tower"):
        OnnxEngine(tmp_path / "float.onnx", threads=1)
