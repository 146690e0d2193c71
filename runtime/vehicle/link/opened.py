"""The links that a configuration names, opened: several lines to one vehicle, by their names, signed or not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from runtime.clock import Clock
from runtime.vehicle.link.keys import read_key
from runtime.vehicle.link.lines import link_names
from runtime.vehicle.link.link import MavlinkLink, WaitingLink
from runtime.vehicle.link.signed import SignedLink, Stamping
from runtime.vehicle.link.stamps import StampFile


class Links:
    """Open lines by name, the first of which is the one that the operator prefers. A context; `close` ends all."""

    def __init__(
        self,
        uris: Sequence[str],
        clock: Clock,
        baud: int,
        signing_key: Path | None = None,
        signing_stamp: Path | None = None,
    ) -> None:
        """``signing_key``: a file of mode 0600; ``signing_stamp``: where stamps are kept, beside the key where None.

        Raises:
            VehicleError: a line does not open.
            ConfigError: there is no key, or it is open to others.
            StorageError: the stamps cannot be kept.
        """
        self.by_name: dict[str, WaitingLink] = {}
        with ExitStack() as opened:
            stamping = None
            if signing_key is not None:
                key = read_key(signing_key)
                stamping = Stamping(StampFile(signing_stamp or _beside(signing_key)), clock)
                opened.callback(stamping.close)
            for number, (name, uri) in enumerate(zip(link_names(len(uris)), uris, strict=True)):
                line: WaitingLink = MavlinkLink.open(uri, clock, baud)
                opened.callback(line.close)
                if stamping is not None:
                    line = SignedLink(line, key, stamping, number)
                self.by_name[name] = line
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Let all lines go, and write the last stamp back."""
        self._opened.close()

    def __enter__(self) -> Links:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _beside(key: Path) -> Path:
    return key.with_name(key.name + ".stamp")
