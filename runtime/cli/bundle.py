"""`homing bundle show|verify|sign`: what is in a bundle, whether it is whole, and who vouches for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.bundle import DEFAULT_BUNDLE, Bundle, ModelFile
from runtime.cli.bundle_versions import install, list_command, rollback, use
from runtime.cli.output import emit, say
from runtime.embedder.embedder import Embedder
from runtime.embedder.onnx_cpu import OnnxCpu
from runtime.embedder.parity import BARS
from runtime.errors import UsageError
from runtime.signature import new_key, sign, signed_by, verify

bundle_app = typer.Typer(name="bundle", help="What is in a bundle, and whether to trust it.", no_args_is_help=True)
for _command in (install, use, rollback):
    bundle_app.command()(_command)
bundle_app.command("list")(list_command)

PathArgument = Annotated[Path | None, typer.Argument(metavar="[BUNDLE]", help="Default: the one that ships.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
PublicOption = Annotated[Path | None, typer.Option("--signed-by", help="The public key that must have signed it.")]


@bundle_app.command()
def show(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """Say what is in a bundle: towers, sizes, hashes, parity, acceptance, training."""
    bundle = Bundle.load(path)
    signer = signed_by(bundle.path)
    if as_json:
        emit({"path": str(bundle.path), "signed_by": signer, "manifest": bundle.manifest.model_dump(mode="json")})
        return
    for line in _lines(bundle, signer):
        say(line)


@bundle_app.command("verify")
def verify_command(path: PathArgument = None, key: PublicOption = None, as_json: JsonOption = False) -> None:
    """Check every hash, run every float32 tower over the parity images on this CPU, and check the signature."""
    bundle = Bundle.load(path)
    signer = verify(bundle.path, key) if key is not None else None
    embedder = Embedder(bundle, precision="fp32", backends=(OnnxCpu.name,))
    answer: dict[str, Any] = {
        "bundle": str(bundle.path),
        "files": len({model.file for tower in bundle.manifest.towers.values() for model in tower.values()}),
        "backend": embedder.backend,
        "parity": embedder.parity,
        "signed_by": signer,
    }
    if as_json:
        emit(answer)
        return
    say(f"{bundle.path}: whole; {embedder.backend} agrees with the reference, cosine >= {embedder.parity:.6f}")
    say("signature  " + (f"of {signer}" if signer is not None else "not asked for (--signed-by KEY.pub)"))


@bundle_app.command("sign")
def sign_command(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE")],
    key: Annotated[Path | None, typer.Option(help="Your private Ed25519 key.")] = None,
    make_key: Annotated[Path | None, typer.Option("--new-key", help="Make a key there first, and its .pub.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Vouch for a bundle as it stands, with an Ed25519 key."""
    if (key is None) == (make_key is None):
        raise UsageError("give either --key or --new-key.")
    bundle = Bundle.load(path)
    if bundle.path == DEFAULT_BUNDLE:
        raise UsageError("the bundle that ships is part of the installation: copy it elsewhere, then sign the copy.")
    if make_key is not None:
        new_key(make_key)
    used = key or make_key
    assert used is not None
    signer = sign(bundle.path, used)
    if as_json:
        emit({"bundle": str(bundle.path), "signed_by": signer})
        return
    say(f"{bundle.path}: signed by {signer}")
    say(f"next       in the daemon's configuration: [bundle] signed_by = \"{used}.pub\"")


def _lines(bundle: Bundle, signer: str | None) -> list[str]:
    manifest = bundle.manifest
    lines = [
        f"bundle     {bundle.path}  ({manifest.name}, format {manifest.format_version})",
        f"licence    {manifest.licence}",
        f"space      {manifest.embedding_space_id}",
        f"embedding  {bundle.embedding_dim}, map {bundle.map_shape or 'none'}, crops {bundle.input_size_px} px",
        f"footprints {', '.join(f'{metres:g}' for metres in bundle.footprints_m)} m",
        f"signature  {signer or 'none'}",
    ]
    for view, tower in manifest.towers.items():
        for precision, model in tower.items():
            lines.append(f"{view.value:10} {precision}  {_model(model)}")
            lines.append(f"{'':10} {_parity(precision, model)}")
    pairs = [f"{entry.query.value} in {entry.gallery.value}" for entry in manifest.calibration]
    lines.append(f"acceptance {', '.join(pairs) or 'no pair of views'}")
    lines += [f"{name:10} {value}" for name, value in manifest.training.items() if isinstance(value, str | int | float)]
    return lines


def _model(model: ModelFile) -> str:
    return f"{model.file}, {model.bytes / 1e6:.1f} MB, sha256 {model.sha256}"


def _parity(precision: str, model: ModelFile) -> str:
    parity = model.parity
    bar = BARS[precision].cosine_min if precision in BARS else 0.0
    peak = "" if parity.peak is None else f", values up to {parity.peak:g}"
    return (
        f"cosine >= {parity.cosine_min:.6f} (bar {bar}), similarities within {parity.similarity_change:.4f}, same "
        f"nearest {parity.top1_share:.1%} of {parity.images} images{peak}; {parity.device}"
    )
