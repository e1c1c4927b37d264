"""Smoothing schemes: which law perturbs which elements."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from graphcert.errors import InputError
from graphcert.noise.laws import BernoulliFlip


@dataclass(frozen=True)
class Smoothing:
    """Isotropic smoothing: one law for every feature bit, one for every undirected edge (theory sections 0 and 2).

    `None` means that the channel is not perturbed; then nothing can be certified against changes of it, and the
    certificate says so. Edges are undirected: the flip of {u, v} is drawn once and seen in both directions.

    Raises:
        InputError: if a law is not a law, or if no channel is perturbed at all.
    """

    features: BernoulliFlip | None = None
    edges: BernoulliFlip | None = None

    def __post_init__(self) -> None:
        for channel in ("features", "edges"):
            law = getattr(self, channel)
            if law is not None and not isinstance(law, BernoulliFlip):
                raise InputError(f"Smoothing({channel}=…) takes a law such as BernoulliFlip(0.01, 0.6), got {law!r}")
        if all(law is None or law.silent for law in (self.features, self.edges)):
            raise InputError("the smoothing perturbs nothing; give features=… or edges=… a law with a rate above 0")

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON and TOML ready); `from_dict` inverts it exactly."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "Smoothing":
        """Rebuild a scheme from `to_dict`; raises `InputError` on anything else."""
        unknown = set(description) - {"features", "edges"}
        if unknown:
            raise InputError(f"a smoothing description has the keys features and edges, got also {sorted(unknown)}")
        try:
            return cls(**{channel: BernoulliFlip(**law) for channel, law in description.items()})
        except TypeError as error:
            raise InputError(f"a flip law is described by add and delete: {error}") from None
