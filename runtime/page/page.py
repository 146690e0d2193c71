"""The status page of one daemon, put together."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from runtime.camera_model import CameraModel
from runtime.computer import ComputerLoad
from runtime.history.reader import HistoryReader
from runtime.page.about import About
from runtime.page.access import Access
from runtime.page.app import Parts
from runtime.page.asking import Asker, Submit
from runtime.page.board import Board
from runtime.page.server import PageServer
from runtime.page.targets import Targets
from runtime.page.views import Views
from runtime.values import GeoPoint


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while it runs. ``hosts``: names it may be asked for by; ``token``: None where it only
    shows."""

    version: str
    log: Path
    dry_run: bool
    polygon: tuple[GeoPoint, ...]
    max_distance_m: float | None
    consent_s: float
    hosts: Iterable[str]
    token: str | None


def make_page(
    listener: socket.socket, facts: Facts, board: Board, history: HistoryReader, camera: CameraModel, submit: Submit,
    load: Callable[[], ComputerLoad | None],
) -> PageServer:  # fmt: skip
    """Begins to serve on a socket that listens. ``submit`` takes requests as the control socket's are taken; ``load``
    says how the computer is doing, None while nobody has looked."""
    about = About(
        run=secrets.token_hex(4),
        version=facts.version,
        history=history.path.name,
        embedding_space_id=history.embedding_space_id,
        log=facts.log.name,
        control=facts.token is not None,
        dry_run=facts.dry_run,
        polygon=facts.polygon,
        max_distance_m=facts.max_distance_m,
        consent_s=facts.consent_s,
    )
    asker = Asker(submit)
    parts = Parts(
        about=about,
        access=Access(frozenset(name.lower() for name in facts.hosts), facts.token),
        board=board,
        load=load,
        views=Views(history, camera),
        ground=history,
        asker=asker,
        targets=Targets(asker),
    )
    return PageServer(parts, listener)
