"""Laws of one noisy element: frozen descriptions, interpreted elsewhere (sampled, bounded, linearised)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from graphcert.core.arguments import positive, probability
from graphcert.errors import InputError
from graphcert.noise.budget import count
from graphcert.noise.exact import refuse_subclass


@dataclass(frozen=True)
class BernoulliFlip:
    """Independent sparsity-aware flips of binary elements (theory section 2; Bojchevski et al. 2020, eq. 2).

    A zero becomes one with probability `add` (θ⁺) and a one becomes zero with probability `delete` (θ⁻). The two
    floats are taken as the exact binary fractions they are: the sampler draws with exactly these probabilities and the
    certificate computes with exactly these probabilities.

    Raises:
        InputError: if a rate is not a probability.
    """

    add: float
    delete: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "add", probability("the flip rate 'add'", self.add))
        object.__setattr__(self, "delete", probability("the flip rate 'delete'", self.delete))

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything."""
        return self.add == 0 and self.delete == 0


class _Continuous:
    """What the laws of real features share: never silent, and noise that may be rounded to a lattice."""

    norm: ClassVar[str]
    lattice: float | None

    def _check_lattice(self) -> None:
        if self.lattice is not None:
            object.__setattr__(self, "lattice", positive("the step 'lattice'", self.lattice))

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything: no."""
        return False


@dataclass(frozen=True)
class Gaussian(_Continuous):
    """Independent Gaussian noise N(0, σ²) on every entry of a real feature matrix (theory section 5; Cohen et al. 2019).

    The law of one entry, so a level of noise on whole rows. Perturbations are measured by their ℓ2 norm over all entries.

    *Lattice.* With `lattice` = h the noise is rounded to whole multiples of h, for clean *and perturbed* features that are
    whole multiples of h (h = 1/255 for images of 8 bits). For such x, round(x + ε) = x + round(ε): what the classifier sees
    is a post-processing of x + ε, so the trade-off of Gaussian noise is a sound lower bound. And x + round(ε) is a sum of
    whole numbers, which a computer adds exactly. Nothing is claimed about perturbed features off the lattice. Without
    `lattice`, noisy features are floats, and the certificate assumes that their rounding tells the classifier nothing
    about x (theory, section 11, trap 12; Voráček & Hein 2023).

    Attributes:
        sigma: standard deviation σ before rounding.
        lattice: the step h, or None for noise that is not rounded.

    Raises:
        InputError: unless `sigma` and `lattice` are finite numbers > 0.
    """

    sigma: float
    lattice: float | None = None
    norm = "ℓ2"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", positive("the standard deviation 'sigma'", self.sigma))
        self._check_lattice()


@dataclass(frozen=True)
class Uniform(_Continuous):
    """Independent uniform noise on [−λ, λ] on every entry of a real feature matrix (theory section 5).

    Perturbations are measured by their ℓ1 norm over all entries. `lattice` is as for `Gaussian`.

    Attributes:
        half_width: λ before rounding.
        lattice: the step h of rounded noise, or None.

    Raises:
        InputError: unless `half_width` and `lattice` are finite numbers > 0.
    """

    half_width: float
    lattice: float | None = None
    norm = "ℓ1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "half_width", positive("the half-width 'half_width'", self.half_width))
        self._check_lattice()


@dataclass(frozen=True)
class Ablation:
    """A row is replaced by a token that carries no information about it (theory section 6).

    With `Hierarchical(select, Ablation())` a row is ablated with probability `select` (Scholten et al. 2022). Rows may
    change at will: a changed row is harmless exactly when it is ablated.
    """

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything: no."""
        return False


@dataclass(frozen=True)
class SubsetAblation(Ablation):
    """Exactly `kept` of d rows are kept, all such subsets alike; the others are hidden (theory section 6).

    After Levine & Feizi (2020), who keep pixels. Which rows are hidden is seen by the classifier. Rows may change at will:
    r changed rows are harmless exactly when all of them are hidden; δ = 1 − C(d − r, k)/C(d, k) is the probability of more.
    It is a law of all rows together, so it has no levels, and it chooses its rows itself, so it is no lower law of
    `Hierarchical`.

    Attributes:
        kept: k ≥ 0.
        elements: d ≥ k; None for all rows of the graph that is smoothed.

    Raises:
        InputError: if a number is not a whole number ≥ 0, or k > d.
    """

    kept: int
    elements: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", count("kept", self.kept))
        if self.elements is not None:
            self.among(self.elements)
            object.__setattr__(self, "elements", count("elements", self.elements))

    def among(self, rows: int) -> "SubsetAblation":
        """The same law with d = `rows` written out; raises `InputError` if it is one of another d, or keeps more."""
        if self.elements not in (None, rows) or self.kept > count("elements", rows):
            given = "" if self.elements is None else f" of {self.elements}"
            raise InputError(f"there are {rows} rows, but ablation keeps exactly {self.kept}{given}; keep fewer")
        return SubsetAblation(self.kept, rows) if self.elements is None else self


FeatureLaw = BernoulliFlip | Gaussian | Uniform | Ablation

LAWS = (BernoulliFlip, Gaussian, Uniform, Ablation, SubsetAblation)
"""The laws that samplers and certificates know."""

CONTINUOUS = (Gaussian, Uniform)
"""The laws of real features, under which a change is measured by a norm and not counted in bits."""


@dataclass(frozen=True)
class Selected:
    """A row gets the noise `law` with probability `select`, and the classifier sees whether it did (theory section 6).

    The law of one row under `Hierarchical`. The row is *noised* with probability `select`, which is the probability of being
    ablated if the noise is `Ablation`.

    Raises:
        InputError: if `select` is no probability above 0, or `law` a subclass of a law.
    """

    select: float
    law: FeatureLaw

    def __post_init__(self) -> None:
        select = probability("the selection probability 'select'", self.select)
        if select == 0:
            raise InputError(
                "the selection probability 'select' must be above 0: a row that is never noised hides nothing"
            )
        refuse_subclass(self.law, LAWS)
        object.__setattr__(self, "select", select)

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything."""
        return self.law.silent


Law = FeatureLaw | Selected


_NAMED: dict[str, type[Gaussian | Uniform | Ablation]] = {
    "gaussian": Gaussian,
    "uniform": Uniform,
    "ablation": Ablation,
    "subset ablation": SubsetAblation,
}


def law_to_dict(law: FeatureLaw) -> dict[str, Any]:
    """A plain description; `law_from_dict` inverts it. Flips need no name: theirs is the oldest description."""
    if isinstance(law, BernoulliFlip):
        return asdict(law)
    # What is not set is not named, so that older descriptions stay what they were.
    (name,) = [name for name, kind in _NAMED.items() if type(law) is kind]
    return {"law": name, **{k: v for k, v in asdict(law).items() if v is not None}}


def law_from_dict(description: Mapping[str, Any]) -> FeatureLaw:
    """Rebuild a law from `law_to_dict`; raises `InputError` on anything else."""
    given = dict(description)
    name = given.pop("law", None)
    try:
        if name is None:
            return BernoulliFlip(**given)
        if name in _NAMED:
            return _NAMED[name](**given)
    except TypeError as error:
        parameters = "add and delete" if name is None else f"the parameters of {name!r}"
        raise InputError(f"a {'flip ' if name is None else ''}law is described by {parameters}: {error}") from None
    raise InputError(f"the laws are flips (without a name), {', '.join(map(repr, _NAMED))}; got {name!r}")
