"""Which noises are tried: points that fill the asked ranges evenly, the same ones for everybody."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from scipy.stats import qmc

from graphcert.core.arguments import real, whole
from graphcert.errors import InputError
from graphcert.noise import settings_of_laws
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig

FLIPS = ("add", "delete", "edge_add", "edge_delete")
MEMBERS = 4
"""Candidates that share a trained model: one noise of the own cluster, and several of the far ones."""
ISOTROPIC, LOCALIZED = "isotropic", "localized"
_DIGITS = 3

Span = tuple[float, float]


def usual_ranges(axes: Sequence[str]) -> dict[str, Span]:
    """Ranges of noise that certifies these axes of budgets, where none is asked for."""
    found: dict[str, Span] = {}
    for axis in axes:
        if axis == "shift":
            found["sigma"] = (0.1, 1.0)
        elif axis == "nodes":
            found["select"] = (0.7, 0.99)
        elif axis.startswith("edge"):
            found |= {"edge_add": (0.0, 0.0), "edge_delete": (0.2, 0.9)}
            if "edge_add" in axes:
                found["edge_add"] = (0.0005, 0.01)
        else:
            found |= {"add": (0.005, 0.1), "delete": (0.4, 0.9)}
    return found


@dataclass(frozen=True)
class Space:
    """The ranges of a search.

    Attributes:
        ranges: (least, most) of flip rates (`FLIPS`), of `select` and of settings of laws of features such as sigma.
        clusters: the numbers of clusters to try; 1 is isotropic noise.
        fixed: further settings of the noise, such as partition, affinity, ablate and lattice.

    Raises:
        InputError: for a range that is none, an unknown name, or if there is nothing to choose between.
    """

    ranges: Mapping[str, Span]
    clusters: tuple[int, ...] = (1, 5)
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        laws = {
            name for name, law in settings_of_laws().items() if law.setting is not None and law.setting.kind is float
        }
        known = (*FLIPS, "select", *sorted(laws))
        for name, span in self.ranges.items():
            if name not in known:
                raise InputError(f"noise has no range of {name!r}; it has {', '.join(known)}")
            if not isinstance(span, tuple) or len(span) != 2:
                raise InputError(f"the range of {name} is two numbers, least and most, got {span!r:.60}")
            least, most = (real(f"the range of {name}", number, 0) for number in span)
            if least > most:
                raise InputError(f"the range of {name} runs from its least to its most, got {least:g}:{most:g}")
        if not self.clusters:
            raise InputError("name at least one number of clusters; 1 is isotropic noise")
        for count in self.clusters:
            whole("clusters", count, 1)
        if max(self.clusters) > 1 and not any(least < most for least, most in self.ranges.values()):
            raise InputError(
                "localized noise needs a range to rise in, from the own cluster to the farthest; give one of the rates as "
                "least:most, or say --clusters 1"
            )

    def candidates(self, number: int) -> list[SmoothingConfig]:
        """The first so many different noises; more of them begin with the same ones."""
        found: dict[str, SmoothingConfig] = {}
        # A range of few different numbers has few different noises.
        for noise in islice(self._points(), 64 * number):
            found.setdefault(repr(noise), noise)
            if len(found) == number:
                break
        return list(found.values())

    def _points(self) -> Iterator[SmoothingConfig]:
        names, several = list(self.ranges), [count for count in self.clusters if count > 1]
        isotropic = 1 in self.clusters
        near, far = _points_of(len(names)), _points_of(len(names) + 1)
        while True:
            at = dict(zip(names, next(near), strict=True))
            if isotropic:
                yield self._noise({name: self._value(name, u) for name, u in at.items()}, 1)
            for _ in range((MEMBERS - isotropic) * bool(several)):
                *ways, choice = next(far)
                pairs = zip(at.items(), ways, strict=True)
                rates = {name: (self._value(name, u), self._value(name, u + way * (1 - u))) for (name, u), way in pairs}
                yield self._noise(rates, several[int(choice * len(several))])

    def _value(self, name: str, share: float) -> float:
        """The number at so large a share of a range: rates of additions and scales by their logarithm, others evenly."""
        least, most = self.ranges[name]
        if least > 0 and name not in ("delete", "edge_delete", "select"):
            value = math.exp((1 - share) * math.log(least) + share * math.log(most))
        else:
            value = (1 - share) * least + share * most
        return min(most, max(least, float(f"{value:.{_DIGITS}g}")))

    def _noise(self, rates: Mapping[str, Any], clusters: int) -> SmoothingConfig:
        plain = {
            name: rate[0] if isinstance(rate, tuple) and len(set(rate)) == 1 else rate for name, rate in rates.items()
        }
        flips = [plain.get(name, 0.0) for name in FLIPS]
        laws = {name: plain[name] for name in plain if name in settings_of_laws()}
        fixed = {name: value for name, value in self.fixed.items() if name not in settings_of_laws()}
        laws |= {name: value for name, value in self.fixed.items() if name in settings_of_laws()}
        if clusters == 1:
            fixed = {name: value for name, value in fixed.items() if name not in ("partition", "affinity")}
        select = {"select": plain["select"]} if "select" in plain else {}
        return SmoothingConfig(
            RatesConfig(*flips[:2]), RatesConfig(*flips[2:]), laws=laws, clusters=clusters, **select, **fixed
        )  # fmt: skip


def kind_of(noise: SmoothingConfig) -> str:
    """Whether a candidate is isotropic or localized."""
    return ISOTROPIC if noise.clusters == 1 else LOCALIZED


def _points_of(dimensions: int) -> Iterator[list[float]]:
    """The points of Halton's sequence, which fill a cube evenly however many there are (without the corner it begins at)."""
    engine = qmc.Halton(dimensions, scramble=False)
    engine.fast_forward(1)
    while True:
        yield engine.random(1)[0].tolist()
