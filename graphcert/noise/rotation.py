"""Random turns of a whole cloud of points about the origin."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphcert.core.arguments import positive
from graphcert.errors import InputError
from graphcert.noise.law import Law, known_law

AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
"""The coordinate axes by name."""


@known_law
@dataclass(frozen=True)
class Rotation(Law):
    """The whole input is turned about the origin: one draw per sample moves all rows (x, y, z) alike (theory section 13).

    *About an axis* by an angle of law N(0, σ²): angles add, so the input turned by φ is a shift by φ.

    *In space* (`axis` None) by polar(I + G), the rotation that is nearest to I + G, where the nine entries of G are
    independent of law N(0, σ²). For an input turned by R, polar(I + G) R = polar(R + G R), and G R has the law of G: what
    is seen is a post-processing of Gaussian noise around R in place of I. A turn by φ about any axis is a shift by
    ‖R − I‖ = 2√2 sin(φ/2) in Frobenius norm, 2√2 for 180°.

    A *shift* is that number: the angle in radians about an axis, ‖R − I‖ in space; `turn_shift` and `certified_turn`
    convert it from and to degrees. Nothing is claimed against points that move otherwise than by a turn, at the same time
    or alone.

    *The origin.* Points are turned about the origin, and the claims are about inputs turned about the origin. The centroid
    of turned points is the turned centroid, so a cloud that is turned about any point and then centred by its centroid is
    the centred cloud, turned about the origin. Centre every cloud so, and never by what depends on the turn, such as the
    middle of a bounding box.

    *Rounding.* Turned coordinates are computed in float64 and rounded once to float32; as for Gaussian noise, the
    certificate assumes that rounding tells the classifier nothing about the input (theory, section 11, trap 12).

    Attributes:
        sigma: standard deviation σ, in radians about an axis; of every entry of G in space.
        axis: "x", "y", "z" or a direction (a, b, c), for turns about one axis; None for turns in space.

    Raises:
        InputError: unless σ is a finite number above 0 and the axis a direction.
    """

    sigma: float
    axis: str | tuple[float, float, float] | None = None
    name = "rotation"
    element = "turns"
    norm = "turn"
    of_all_rows = True
    symbols = (("sigma", "σ"),)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", positive("the standard deviation 'sigma' of turns", self.sigma))
        if self.axis is not None and not isinstance(self.axis, str):
            object.__setattr__(self, "axis", _three_numbers(self.axis))
        if isinstance(self.axis, str) and self.axis not in AXES:
            raise InputError(f"the axis of turns is x, y, z or a direction (a, b, c); got {self.axis!r:.60}")

    @property
    def scale(self) -> float:
        """σ: a turn matters by its shift in units of it."""
        return self.sigma

    @property
    def direction(self) -> tuple[float, float, float] | None:
        """The axis as a vector of length 1; None in space."""
        if self.axis is None:
            return None
        a, b, c = AXES[self.axis] if isinstance(self.axis, str) else self.axis
        largest = max(abs(a), abs(b), abs(c))  # so that no square is 0 or infinite
        a, b, c = a / largest, b / largest, c / largest
        length = math.sqrt(a * a + b * b + c * c)
        return a / length, b / length, c / length

    @property
    def farthest(self) -> float:
        """The shift of a turn by 180°, rounded up: π about an axis, 2√2 in space. No turn is a larger one."""
        return math.nextafter(math.pi if self.axis is not None else 2 * math.sqrt(2), math.inf)

    def dominates(self, weak: "Rotation") -> bool:
        """See `Law.dominates`: more noise about the same axis is less and further independent noise."""
        return self.direction == weak.direction and self.sigma <= weak.sigma

    @classmethod
    def words(cls, levels: Sequence["Rotation"]) -> str:
        """See `Law.words`."""
        (law,) = levels
        if law.axis is not None:
            angle = f"a random angle of standard deviation {law.sigma:g} radians"
            return f"all points are turned together about {law.axis_words} by {angle}"
        return (
            f"all points are turned together in space, by the rotation nearest to the identity plus Gaussian noise of "
            f"deviation {law.sigma:g}"
        )

    @property
    def axis_words(self) -> str:
        """What points are turned about: "the z axis", "the axis (1, 1, 0)" or "any axis"."""
        if self.axis is None:
            return "any axis"
        if isinstance(self.axis, str):
            return f"the {self.axis} axis"
        return f"the axis ({', '.join(f'{c:g}' for c in self.axis)})"

    def adversary_words(self, limit: str = "", edges: str = "undirected edges") -> str:
        """See `Law.adversary_words`."""
        angle = (
            "at most that many radians"
            if self.axis is not None
            else "an angle φ with 2√2 sin(φ/2) of at most that shift"
        )
        return (
            f"turns the whole input about {self.axis_words} through the origin by {angle}, or adds and deletes at most that "
            f"many {edges}"
        )

    @classmethod
    def from_setting(cls, value: Any, lattice: float | None) -> "Rotation":
        """See `Law.from_setting`; turns have no lattice."""
        return cls(value)

    def to_dict(self) -> dict[str, Any]:
        """See `Law.to_dict`."""
        described = super().to_dict()
        return described | ({"axis": list(self.axis)} if isinstance(self.axis, tuple) else {})


def _three_numbers(axis: Any) -> tuple[float, float, float]:
    """A direction as floats; refused unless it is three finite numbers that are not all 0."""
    given = tuple(axis) if isinstance(axis, Iterable) and not isinstance(axis, Mapping) else ()
    try:
        numbers = tuple(float(number) + 0.0 for number in given)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)) or not any(numbers):
        raise InputError(f"the axis of turns is x, y, z or a direction (a, b, c) that is not 0; got {axis!r:.60}")
    a, b, c = numbers
    return a, b, c
