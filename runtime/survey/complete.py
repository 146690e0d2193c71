"""Completes a survey: solves the heights and headings that its photos do not say, and holds those that they do say
against their overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from runtime.geodesy import north_east_m
from runtime.survey.anchor import FLAG
from runtime.survey.contradiction import Contradiction, Held, carried
from runtime.survey.headings import turned_poses
from runtime.survey.heights import held_heights
from runtime.survey.overlaps import Features, Overlap, alike, candidate_pairs, matched
from runtime.survey.pitch import solved_pitch
from runtime.survey.rays import Look
from runtime.survey.solver import solve
from runtime.survey.survey import Skipped, Step, Survey, Surveyed, missing


def complete(read: Survey, step: Step = lambda: None) -> Survey:
    """The survey with heights, headings and tilts solved where photos do not say them, and with the headings and
    heights that they do say held against the overlaps; ``step`` is called per pair matched."""
    return _corrected(_solved(read, step), step)


def pairs_to_match(read: Survey) -> int:
    """How many steps `complete` will take."""
    return len(_candidates(_unsaid(read))) + len(_candidates(_doubtful(read), check=True))


def _solved(read: Survey, step: Step) -> Survey:
    unsaid = _unsaid(read)
    if not unsaid:
        return read
    shared = _matched(unsaid, _candidates(unsaid), step)
    read = _pitched(read, unsaid, shared)
    unsaid = _unsaid(read)
    overlaps = _alike(unsaid, shared)
    solution = solve([photo.told for photo in unsaid], [photo.camera for photo in unsaid], overlaps)
    outcomes = zip(solution.photos, solution.reasons, strict=True)
    outcome = {photo.index: found for photo, found in zip(unsaid, outcomes, strict=True)}
    photos: list[Surveyed] = []
    skipped = list(read.skipped)
    for photo in read.photos:
        solved, reason = outcome.get(photo.index, (None, ""))
        if solved is not None:
            found = replace(photo, pose=solved.pose, position=solved.position, tag=photo.position, features=None)
            photos.append(found)
        elif reason:
            skipped.append(Skipped(photo.name, f"{_not_recorded(photo)}, and it {reason}"))
        else:
            photos.append(photo)
    held = [Held(photo.name, seen) for photo, seen in zip(unsaid, solution.heights, strict=True) if seen is not None]
    contradictions = (*read.contradictions, *Contradiction.of(held))
    return replace(
        read, photos=tuple(photos), skipped=tuple(skipped), solution=solution, contradictions=contradictions
    )


def _corrected(read: Survey, step: Step) -> Survey:
    """Photos whose pixels were turned get the heading that their overlaps show, then those whose heights are
    contradicted the height."""
    doubtful = _doubtful(read)
    overlaps = _alike(doubtful, _matched(doubtful, _candidates(doubtful, check=True), step))
    read = _upright(read, doubtful, overlaps)
    now = {photo.index: photo for photo in read.photos}
    return _levelled(read, [now[photo.index] for photo in doubtful], overlaps)


def _upright(read: Survey, doubtful: Sequence[Surveyed], overlaps: Sequence[Overlap]) -> Survey:
    if any(photo.features is None and photo.tag is None for photo in read.photos):
        return read  # a film, of which a few frames are looked at: what turned those would turn all
    found = turned_poses([photo.told for photo in doubtful], [photo.camera for photo in doubtful], overlaps)
    turned = {photo.index: pose for photo, pose in zip(doubtful, found, strict=True) if pose is not None}
    photos = tuple(replace(photo, pose=turned.get(photo.index, photo.pose)) for photo in read.photos)
    return replace(read, photos=photos, turned=tuple(photo.name for photo in doubtful if photo.index in turned))


def _levelled(read: Survey, doubtful: Sequence[Surveyed], overlaps: Sequence[Overlap]) -> Survey:
    seen = held_heights([photo.told for photo in doubtful], [photo.camera for photo in doubtful], overlaps)
    held = {
        photo.index: Held(photo.name, height, photo.position.point)
        for photo, height in zip(doubtful, seen, strict=True)
        if height is not None
    }
    photos, others = [], 0
    for photo in read.photos:
        height = photo.pose.height_agl_m
        if photo.tag is None and height is not None and height.source != FLAG:
            mine = held.get(photo.index)
            settled = mine.seen.height if mine is not None else carried(photo.pose, photo.position.point, held.values())
            others += mine is None and settled != height
            photo = replace(photo, pose=replace(photo.pose, height_agl_m=settled))
        photos.append(replace(photo, features=None))
    contradictions = (*read.contradictions, *Contradiction.of(list(held.values()), others))
    return replace(read, photos=tuple(photos), contradictions=contradictions)


def _unsaid(read: Survey) -> list[Surveyed]:
    return [photo for photo in read.photos if photo.features is not None and missing(photo.pose)]


def _doubtful(read: Survey) -> list[Surveyed]:
    """Photos that say their heading and height, if there are others to hold them against."""
    said = [photo for photo in read.photos if photo.features is not None and not missing(photo.pose)]
    return said if len(said) > 1 else []


def _candidates(photos: Sequence[Surveyed], check: bool = False) -> list[tuple[int, int]]:
    """Pairs to match; a check needs fewer."""
    at = [photo.position.point for photo in photos]
    places = np.array([north_east_m(at[0], one) for one in at], dtype=np.float64).reshape(-1, 2)
    return candidate_pairs(places, neighbours=4, consecutive=1) if check else candidate_pairs(places)


def _matched(photos: Sequence[Surveyed], pairs: Sequence[tuple[int, int]], step: Step) -> list[Overlap]:
    features = _features(photos)
    found = []
    for first, second in pairs:
        overlap = matched(first, second, features)
        if overlap is not None:
            found.append(overlap)
        step()
    return found


def _pitched(read: Survey, unsaid: Sequence[Surveyed], shared: Sequence[Overlap]) -> Survey:
    """With the pitch that the overlaps show in all cameras of which nobody says one."""
    blind = {photo.index for photo in unsaid if not photo.pose.attitude_measured}
    if read.pitch_told or len(blind) < len(unsaid):
        return read
    pitch = solved_pitch([photo.camera for photo in unsaid], shared)
    if pitch is None:
        return read
    photos = tuple(
        replace(photo, camera=pitch.mounted(photo.camera)) if photo.index in blind else photo for photo in read.photos
    )
    return replace(read, photos=photos, pitch=pitch)


def _alike(photos: Sequence[Surveyed], shared: Sequence[Overlap]) -> list[Overlap]:
    """Those of the overlaps that are similar on the ground, by how the photos looked, of each a few points."""
    looks = [Look.of(photo.camera, photo.pose) for photo in photos]
    return [one.thinned() for one in shared if alike(one, _features(photos), looks)]


def _features(photos: Sequence[Surveyed]) -> list[Features]:
    return [photo.features for photo in photos if photo.features is not None]


def _not_recorded(photo: Surveyed) -> str:
    what = missing(photo.pose)
    return f"{what} {'are' if ' and ' in what else 'is'} not recorded"
