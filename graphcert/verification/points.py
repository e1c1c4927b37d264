"""What is claimed of the points of one cloud: as of pixels, and turns in degrees as shifts (theory, sections 7 and 13)."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from graphcert.errors import DataError
from graphcert.verification import stated
from graphcert.verification.findings import Finding
from graphcert.verification.run_files import StoredVotes
from graphcert.verification.schemes import read_scheme
from graphcert.verification.segmentation import RESULTS, check_segmentation

_TERMS = 40
_PI = (Fraction("3.14159265358979323846264338327950288419"), Fraction("3.14159265358979323846264338327950288420"))
_ROOT_TWO = (Fraction("1.41421356237309504880168872420969807856"), Fraction("1.41421356237309504880168872420969807857"))
"""π and √2 lie between the two."""


def check_points(
    settings: Mapping[str, Any], votes: StoredVotes, rows: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """The rows of results.csv about one cloud: no more points may be claimed than the slow path proves.

    Args:
        settings: those of the run, section "points" of settings.toml.
        votes: of the cloud, one node per point.
        rows: the rows, as `csv.DictReader` gives them.
    """
    yield from check_segmentation(settings, votes, rows, "points")
    try:
        kind = read_scheme(votes.scheme, len(votes.counts)).features[0].kind
        for row in rows if kind in ("turn", "rotation") else ():
            yield _check_turn(row, kind == "rotation")
    except DataError as error:
        yield Finding("contradiction", RESULTS, str(error))


def _check_turn(row: Mapping[str, Any], in_space: bool) -> Finding:
    """The degrees of a row are no larger a turn than its shift."""
    try:
        shift, degrees = (stated.number(float(row[name]), name, 0.0, 1e9) for name in ("budget", "degrees"))
    except (KeyError, TypeError, ValueError):
        raise DataError(f"a row of {RESULTS} has no budget in degrees; certify again") from None
    proved = degrees <= 180 and shift_above(Fraction(degrees), in_space) <= Fraction(shift)
    words = f"a turn by {degrees:.10g} degrees is a shift of at most {shift:.10g}"
    return Finding(
        "proved" if proved else "contradiction", RESULTS, words if proved else f"it is not proved that {words}"
    )


def shift_above(degrees: Fraction, in_space: bool) -> Fraction:
    """An upper bound of the shift of a turn by 0 ≤ φ ≤ 180 degrees: φ in radians about an axis, 2√2 sin(φ/2) in space."""
    if not degrees:
        return Fraction(0)
    radians = degrees * _PI[1] / 180
    return 2 * _ROOT_TWO[1] * _sine_above(radians / 2) if in_space else radians


def _sine_above(angle: Fraction) -> Fraction:
    """An upper bound of sin(x) for 0 ≤ x ≤ π/2, and a little beyond: its series, which alternates, up to a term above 0."""
    x = Fraction(-(-angle.numerator * 2**140 // angle.denominator), 2**140)
    if x > _PI[0] / 2:  # not rising any more
        return Fraction(1)
    total = term = x
    for n in range(1, _TERMS + 1):  # the last one, of even n, is added
        term *= -x * x / ((2 * n) * (2 * n + 1))
        total += term
    return min(Fraction(1), total)
