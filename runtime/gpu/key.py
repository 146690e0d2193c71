"""What a TensorRT engine depends on: built for one, it is refused by any other, with the difference named."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from runtime.bundle import sha256_of
from runtime.gpu.cuda_calls import Device

_NAMES = {
    "onnx_sha256": "model",
    "device": "GPU",
    "sm_count": "number of multiprocessors",
    "compute_capability": "compute capability",
    "tensorrt": "TensorRT",
    "cuda": "CUDA",
    "driver": "driver",
    "flags": "builder flags",
    "profile": "batch profile",
    "dla_core": "DLA core",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """Which batches an engine takes: the least, the one it is tuned for, and the most."""

    name: str
    least: int
    usual: int
    most: int


FLIGHT = Profile("flight", 1, 1, 1)  # exactly one crop, so that everything fits one CUDA graph
BULK = Profile("bulk", 1, 8, 32)  # for embedding a history again
PROFILES = {profile.name: profile for profile in (FLIGHT, BULK)}


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Everything that decides whether an engine fits; compared field by field."""

    onnx_sha256: str
    device: str
    sm_count: int
    compute_capability: str
    tensorrt: str
    cuda: str
    driver: str
    flags: tuple[str, ...]
    profile: tuple[int, int, int]
    dla_core: int | None

    @classmethod
    def of(
        cls, model: Path, device: Device, tensorrt: str, profile: Profile, flags: tuple[str, ...], dla_core: int | None
    ) -> EngineKey:
        """The key of an engine that would be built here and now."""
        return cls(
            onnx_sha256=sha256_of(model),
            device=device.name,
            sm_count=device.sm_count,
            compute_capability=device.compute_capability,
            tensorrt=tensorrt,
            cuda=device.runtime,
            driver=device.driver,
            flags=flags,
            profile=(profile.least, profile.usual, profile.most),
            dla_core=dla_core,
        )

    @classmethod
    def read(cls, record: dict[str, Any]) -> EngineKey:
        """The key that `as_record` gave; raises KeyError or TypeError where it is no key."""
        values = {field.name: record[field.name] for field in fields(cls)}
        return cls(**{**values, "flags": tuple(values["flags"]), "profile": tuple(values["profile"])})

    def as_record(self) -> dict[str, Any]:
        """Its fields as a JSON-able object."""
        return asdict(self)

    def difference(self, here: EngineKey) -> str | None:
        """In what this key is another than ``here``, in words; None where it is the same."""
        for field in fields(self):
            built, now = getattr(self, field.name), getattr(here, field.name)
            if built != now:
                if field.name == "onnx_sha256":
                    return "it was built of another model file"
                return f"it was built for {_NAMES[field.name]} {_plain(built)}, and here is {_plain(now)}"
        return None


def _plain(value: Any) -> str:
    return "/".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
