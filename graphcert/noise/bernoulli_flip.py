"""Independent flips of binary elements."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from graphcert.core.arguments import probability
from graphcert.noise.law import Law, known_law, rates_words


@known_law
@dataclass(frozen=True)
class BernoulliFlip(Law):
    """Independent sparsity-aware flips of binary elements (theory section 2; Bojchevski et al. 2020, eq. 2).

    A zero becomes one with probability `add` (θ⁺) and a one becomes zero with probability `delete` (θ⁻). The two
    floats are taken as the exact binary fractions they are: the sampler draws with exactly these probabilities and the
    certificate computes with exactly these probabilities.

    Raises:
        InputError: if a rate is not a probability.
    """

    add: float
    delete: float
    element = "bits"
    symbols = (("add", "θ⁺"), ("delete", "θ⁻"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "add", probability("the flip rate 'add'", self.add))
        object.__setattr__(self, "delete", probability("the flip rate 'delete'", self.delete))

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything."""
        return self.add == 0 and self.delete == 0

    def dominates(self, weak: "BernoulliFlip") -> bool:
        """See `Law.dominates`; decided exactly.

        The order of flips is partial: rates that both rise are comparable as long as θ⁺ + θ⁻ ≤ 1, but not always beyond.
        """
        a, d = Fraction(self.add), Fraction(self.delete)
        b, e = Fraction(weak.add), Fraction(weak.delete)
        if a + d == 1:
            return b + e == 1
        margins = [(1 - d) * b - a * (1 - e), (1 - a) * e - d * (1 - b), (1 - d) * (1 - b) - a * e]
        margins.append((1 - a) * (1 - e) - d * b)
        return all(m >= 0 for m in margins) if a + d < 1 else all(m <= 0 for m in margins)

    @classmethod
    def words(cls, levels: Sequence["BernoulliFlip"]) -> str:
        """See `Law.words`."""
        return f"feature bits are {cls.rate_words(levels)}"

    @staticmethod
    def rate_words(levels: Sequence["BernoulliFlip"]) -> str:
        """The rates of one law, or their range over levels: "added with probability … and deleted with …"."""
        add, delete = (rates_words(getattr(law, rate) for law in levels) for rate in ("add", "delete"))
        return f"added with probability {add} and deleted with probability {delete}"

    def adversary_words(self, limit: str = "", edges: str = "undirected edges") -> str:
        """See `Law.adversary_words`."""
        joint = f" and at most that many {edges}" if limit else f" and {edges}"
        return f"adds and deletes at most that many feature bits{limit}{joint}"


@dataclass(frozen=True)
class ReweightedFlip(BernoulliFlip):
    """Flips of edges that carry another weight or attribute than the edges that noise adds (theory section 2).

    A scheme on such a graph has it in place of `BernoulliFlip`, with the same rates. What is sampled is the same. A deleted
    edge shows more: the clean graph may show it with its own weight, which no perturbed graph without it can, and that one
    with the added weight, which the clean one cannot. Additions are seen as under `BernoulliFlip`.
    """

    @property
    def flip(self) -> BernoulliFlip:
        """The law of the same rates under which additions are seen."""
        return BernoulliFlip(self.add, self.delete)

    def dominates(self, weak: BernoulliFlip) -> bool:
        """See `Law.dominates`: additions as flips, deletions if both laws show an edge of their own more often."""
        return self.add >= weak.add and self.delete <= weak.delete and self.flip.dominates(weak)

    @classmethod
    def worst_deletion(cls, levels: Sequence["ReweightedFlip"]) -> "ReweightedFlip":
        """One law under which deletions show at least as much as at any level."""
        return cls(max(law.add for law in levels), min(law.delete for law in levels))


CLEAN = BernoulliFlip(0.0, 0.0)
"""The law of a channel that is not perturbed: it shows every change, so it certifies nothing but the zero budget."""

HIDDEN = BernoulliFlip(0.5, 0.5)
"""Stands for the token of an ablated row: nothing is seen of its bits."""
