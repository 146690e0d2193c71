"""The status page of `homing run`, from the configuration; where none is wanted, nothing of it is even imported."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runtime.clock import Clock
from runtime.computer import ComputerLoad
from runtime.config.config import Config
from runtime.daemon.assembly import Assembly
from runtime.flightlog.journal import Journal
from runtime.page.board import Board
from runtime.page.watched import WatchedJournal
from runtime.values import GeoPoint, Snapshot

if TYPE_CHECKING:
    from runtime.page.asking import Submit
    from runtime.page.server import PageServer

Load = Callable[[], ComputerLoad | None]


class Watching(Protocol):
    """Whoever watches a daemon: nobody, or the status page."""

    show: Callable[[Snapshot], None] | None  # takes the snapshots; None where nobody wants them
    address: str | None  # for the operator's browser

    def watched(self, journal: Journal) -> Journal:
        """A flight log that is watched."""
        ...

    def serve(self, assembly: Assembly, log: Path, dry_run: bool, submit: Submit) -> None:
        """Begins, once the daemon is put together."""
        ...

    def counts(self) -> dict[str, int]:
        """What went wrong so far, by name."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


class Unwatched:
    """Where `[page]` is off."""

    show: Callable[[Snapshot], None] | None = None
    address: str | None = None

    def watched(self, journal: Journal) -> Journal:
        """The log itself."""
        return journal

    def serve(self, assembly: Assembly, log: Path, dry_run: bool, submit: Submit) -> None:
        """Nothing."""

    def counts(self) -> dict[str, int]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Nothing."""


class StatusPage:
    """Listens from the beginning, so that an address which cannot be had is said at once; serves once it is told to."""

    def __init__(self, config: Config, clock: Clock, load: Load) -> None:
        from runtime.page.access import token_of
        from runtime.page.server import address_of, listening  # a web server: only where a page is wanted

        self._config, self._load = config, load
        token_file = config.page_token_file()
        self._token = None if token_file is None else token_of(token_file)
        self._listener = listening(config.page.address, config.page.port)
        self._board = Board(clock.now_ns)
        self._server: PageServer | None = None
        self.show: Callable[[Snapshot], None] | None = self._board.show
        self.address: str | None = address_of(self._listener)

    def watched(self, journal: Journal) -> Journal:
        """A flight log that tells the page too."""
        return WatchedJournal(journal, self._board)

    def serve(self, assembly: Assembly, log: Path, dry_run: bool, submit: Submit) -> None:
        """Begins to answer."""
        from runtime.page.page import Facts, make_page

        config = self._config
        facts = Facts(
            version=_version(),
            log=log,
            dry_run=dry_run,
            polygon=tuple(GeoPoint(*corner) for corner in config.commanding.polygon or ()),
            max_distance_m=config.commanding.max_distance_m,
            consent_s=config.guidance.consent_s,
            hosts=config.page.hosts,
            token=self._token,
        )
        self._server = make_page(
            self._listener, facts, self._board, assembly.history, config.camera.model(), submit, self._load
        )

    def counts(self) -> dict[str, int]:
        """The server's failures."""
        return {} if self._server is None else self._server.counts()

    def close(self) -> None:
        """Ends every connection."""
        if self._server is None:
            self._listener.close()
        else:
            self._server.close()


def status_page(config: Config, clock: Clock, load: Load) -> Watching:
    """What the configuration wants; ``load`` says how the computer is doing.

    Raises:
        ConfigError: it cannot listen there, or its token cannot be used.
    """
    return StatusPage(config, clock, load) if config.page.enabled else Unwatched()


def _version() -> str:
    try:
        return version("homing")
    except PackageNotFoundError:
        return "unknown"
