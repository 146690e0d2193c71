"""The model card says what was measured, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from runtime.errors import UsageError  # noqa: E402
from runtime.values import ViewKind  # noqa: E402
from train.backbones import BackboneSpec  # noqa: E402
from train.card import main  # noqa: E402
from train.embedding_head import HeadSpec  # noqa: E402
from train.towers import Towers, TowersSpec, save_towers  # noqa: E402


@pytest.mark.parametrize("name", ["reliability.json", "calibration.json"])  # earlier versions wrote the second
def test_the_card_holds_the_figures_of_the_reports(name: str, tmp_path: Path) -> None:
    spec = TowersSpec(backbones={ViewKind.DRONE: BackboneSpec("resnet18", 0)}, head=HeadSpec(map_channels=4))
    save_towers(Towers(spec), tmp_path / "best.pt", {"step": 40})
    report = {"tables": {"drone_to_satellite": [{"what": "chance", "R@1": 0.0125}, {"what": "ours", "R@1": 0.9375}]}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    share = {"share": 0.91, "of": 300, "interval_95": [0.87, 0.94]}
    result = {"report": {"right_accepted": share, "strangers_accepted": {"another world": share}},
              "false_acceptance_rate": 0.01}  # fmt: skip
    (tmp_path / name).write_text(json.dumps({"a, vector": result}))
    main(tmp_path / "best.pt", ["worlds: Apache-2.0"], [tmp_path], tmp_path, tmp_path / "MODEL.md")
    text = (tmp_path / "MODEL.md").read_text()
    for part in ("| ours | 0.9375 |", "| chance | 0.0125 |", "- worlds: Apache-2.0", "step 40", "none: random weights",
                 "another world: 0.910 of 300, 95 % interval 0.870 to 0.940", "resnet18 cut at 0"):  # fmt: skip
        assert part in text, part
    with pytest.raises(UsageError, match="run homing-evaluate"):
        main(tmp_path / "best.pt", ["x"], [tmp_path / "none"], None, tmp_path / "MODEL.md")
