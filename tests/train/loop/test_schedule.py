"""Rates, the mean of the weights, and which parameters learn how fast."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from runtime.values import ViewKind  # noqa: E402
from train.backbones import BackboneSpec  # noqa: E402
from train.embedding_head import HeadSpec  # noqa: E402
from train.loop.schedule import Average, factor, freeze_unused, optimizer, set_rate  # noqa: E402
from train.losses.info_nce import InfoNce  # noqa: E402
from train.towers import Towers, TowersSpec  # noqa: E402


def _towers() -> Towers:
    return Towers(TowersSpec(backbones={ViewKind.DRONE: BackboneSpec("resnet18", 0)}, head=HeadSpec(dimensions=8)))


def test_a_warm_up_and_half_a_cosine() -> None:
    rates = [factor(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 11 for i in range(10)])
    assert rates[10] == 1.0 and rates[55] == pytest.approx(0.5) and rates[99] < 0.001
    assert rates[40] == pytest.approx(0.5 * (1 + math.cos(math.pi * 30 / 90)))
    assert factor(0, 10, 0.0) == 1.0


def test_the_mean_of_the_weights_is_the_recursion() -> None:
    towers = _towers()
    average = Average(towers, 0.5)
    name, weight = next((n, p) for n, p in towers.named_parameters())
    expected = weight.detach().clone()
    for step in range(6):
        with torch.no_grad():
            weight.add_(1.0)
        average.take(towers)
        keep = min(0.5, (2 + step) / (11 + step))
        expected = keep * expected + (1 - keep) * weight.detach()
    torch.testing.assert_close(average.weights[name], expected)
    none = Average(towers, 0.0)
    with torch.no_grad():
        weight.add_(1.0)
    none.take(towers)
    torch.testing.assert_close(none.weights[name], weight.detach())


def test_backbones_learn_at_their_share_and_norms_do_not_decay() -> None:
    towers, loss = _towers(), InfoNce()
    chosen = optimizer(towers, loss, 0.1, 0.01, 0.05)
    set_rate(chosen, 0.2)
    found = {id(p): group for group in chosen.param_groups for p in group["params"]}
    every = [*towers.named_parameters(), *loss.named_parameters()]
    assert len(found) == len(every)
    for name, parameter in every:
        group = found[id(parameter)]
        assert group["lr"] == pytest.approx(0.002 if "backbone" in name else 0.2)
        assert (group["weight_decay"] == 0.0) == (parameter.ndim < 2 or "mean" in name), name


def test_a_frozen_backbone_has_no_gradients() -> None:
    towers = _towers()
    freeze_unused(towers, 0.0)
    frozen = {name for name, p in towers.named_parameters() if not p.requires_grad}
    assert frozen == {name for name, _ in towers.named_parameters() if "backbone" in name}
    assert len(optimizer(towers, InfoNce(), 0.1, 0.0, 0.05).param_groups) == 2
