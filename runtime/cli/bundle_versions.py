"""`homing bundle install|use|rollback|list`: versions of the bundle on the drone, changed on the ground alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runtime.bundle import Bundle
from runtime.bundle_store import CURRENT, BundleStore
from runtime.cli.output import emit, say
from runtime.config.config import load_config
from runtime.control.client import ask, default_socket
from runtime.embedder.embedder import Embedder
from runtime.embedder.onnx_cpu import OnnxCpu
from runtime.errors import ControlError, UsageError
from runtime.signature import verify

DEFAULT_STORE = Path("/var/lib/homing/bundles")
_WITHIN_S = 5.0

StoreOption = Annotated[Path, typer.Option("--store", help="The folder of all versions.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Of the daemon that must not be flying.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def install(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder, as `homing-export` makes it.")],
    store: StoreOption = DEFAULT_STORE,
    key: Annotated[Path | None, typer.Option("--signed-by", help="The public key that must have signed it.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a bundle beside those that are there, test it on this computer, and use it from the next start on."""
    _check_on_the_ground(config)
    bundle = Bundle.load(path)
    if key is not None:
        verify(bundle.path, key)
    Embedder(bundle, precision="fp32", backends=(OnnxCpu.name,))  # its parity images, on this processor
    kept = BundleStore(store)
    version = kept.add(bundle)
    kept.use(version)
    _tell(kept, version, as_json)


def use(
    version: Annotated[str, typer.Argument(help="As `homing bundle list` names it.")],
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Use another version that is there, from the next start on."""
    _check_on_the_ground(config)
    kept = BundleStore(store)
    kept.use(version)
    _tell(kept, version, as_json)


def rollback(store: StoreOption = DEFAULT_STORE, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Go back to the version that was used before."""
    _check_on_the_ground(config)
    kept = BundleStore(store)
    _tell(kept, kept.roll_back(), as_json)


def list_command(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the versions that are there."""
    stored = BundleStore(store).stored()
    if as_json:
        rows = [{"version": one.version, "current": one.current, "previous": one.previous} for one in stored]
        emit({"store": str(store), "bundles": rows})
        return
    for one in stored:
        say(f"{'*' if one.current else ' '} {one.version}{'  (before)' if one.previous else ''}")
    if not stored:
        say(f"{store} holds no bundle.")


def _check_on_the_ground(config: Path | None) -> None:
    """A daemon that does not run, or that hears no vehicle, flies nothing.

    Raises:
        UsageError: the vehicle is armed.
    """
    socket = default_socket() if config is None else load_config(config).control.socket
    try:
        answer = ask(socket, {"command": "status"}, _WITHIN_S)
    except ControlError as error:
        if socket.exists():
            raise UsageError(f"whether the vehicle is armed cannot be asked: {error}") from None
        return
    if answer["vehicle"]["armed"]:
        raise UsageError("the vehicle is armed: bundles are changed on the ground, with the motors off.")


def _tell(store: BundleStore, version: str, as_json: bool) -> None:
    if as_json:
        emit({"store": str(store.folder), "current": version})
        return
    say(f"{version} is used from the next start on; [bundle] path = \"{store.folder / CURRENT}\"")
    say("next       on a GPU: homing engine build; then: systemctl restart homing")
