"""Blur is told from plain ground."""

from __future__ import annotations

import cv2
import numpy as np

from runtime.record.sharpness import BlurGate, sharpness
from tests.runtime.record.fakes import ground_texture


def test_contrast_alone_changes_little_where_blur_changes_much() -> None:
    sharp = ground_texture(480)
    faint = (128 + (sharp.astype(np.float32) - 128) * 0.3).astype(np.uint8)  # a tenth of the variance
    assert 0.7 < sharpness(faint) / sharpness(sharp) < 1.7  # rounding to grey levels adds some detail
    assert sharpness(cv2.GaussianBlur(sharp, (0, 0), 2.0)) < 0.25 * sharpness(sharp)


def test_the_gate_lets_a_few_pass_before_it_judges_and_adapts_to_a_worse_camera() -> None:
    sharp = ground_texture(480)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 3.0)
    gate = BlurGate()
    assert not gate.blurred(blurred)  # nothing to compare with
    assert [gate.blurred(sharp) for _ in range(8)] == [False] * 8
    assert gate.blurred(blurred)
    verdicts = [gate.blurred(blurred) for _ in range(40)]
    assert verdicts[0] and not verdicts[-1]  # a lens that fogs up does not end the recording


def test_a_black_frame_is_no_error() -> None:
    assert sharpness(np.zeros((100, 100, 3), np.uint8)) == 0.0
