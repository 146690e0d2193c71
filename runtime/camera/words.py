"""What each state of the camera means, in words for the status page, the console and a flight's report."""

from __future__ import annotations

from runtime.camera.health import CameraState

WORDS: dict[CameraState, str] = {
    CameraState.OK: "the camera works",
    CameraState.NO_FRAME_YET: "no frame has come from the camera yet: check its cable, its address and its power",
    CameraState.SILENT: "no frame has come from the camera when the next was due: nothing is seen until one does",
    CameraState.FROZEN: "the camera repeats one picture: its driver hangs, and nothing is seen until it moves again",
    CameraState.OTHER_SHAPE: "the camera's pictures are of another shape than [camera] says: set its mode, or its size",
    CameraState.BLACK: "the camera's pictures are black: a cap, a cover, or no light",
    CameraState.WHITE: "the camera's pictures are white: overexposed, or blinded",
    CameraState.STAMPS_BACKWARDS: "the camera's stamps go backwards: frames that are older than the last are not used",
    CameraState.STAMP_IN_FUTURE: "the camera's stamps lie in the future, by another clock: its frames are not used",
    CameraState.STAMP_TOO_OLD: "the camera's frames are seconds old: they come too late to be used",
}
