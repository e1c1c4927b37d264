"""Rows that are hidden: each on its own, or all but a random subset."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphcert.errors import InputError
from graphcert.noise.budget import count
from graphcert.noise.law import Law, Setting, known_law


@known_law
@dataclass(frozen=True)
class Ablation(Law):
    """A row is replaced by a token that carries no information about it (theory section 6).

    With `Hierarchical(select, Ablation())` a row is ablated with probability `select` (Scholten et al. 2022). Rows may
    change at will: a changed row is harmless exactly when it is ablated.
    """

    name = "ablation"
    element = "rows"
    setting = Setting(
        "ablate", bool, "Hide selected rows instead of flipping bits; then --select is the probability of being ablated.",
    )  # fmt: skip

    def dominates(self, weak: Law) -> bool:
        """See `Law.dominates`: nothing is seen under either law."""
        return True

    @classmethod
    def words(cls, levels: Sequence[Law]) -> str:
        """See `Law.words`."""
        return "features are hidden"

    def adversary_words(self, limit: str = "", edges: str = "undirected edges") -> str:
        """See `Law.adversary_words`."""
        return f"changes the features of at most that many nodes and adds and deletes at most that many {edges}"


@known_law
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
    name = "subset ablation"
    of_all_rows = True
    setting = Setting(
        "keep", int, "Exactly so many rows keep their features, all others are hidden (ablation).", shown="rows kept"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", count("kept", self.kept))
        if self.elements is not None:
            self.among(self.elements)
            object.__setattr__(self, "elements", count("elements", self.elements))

    @classmethod
    def words(cls, levels: Sequence[Law]) -> str:
        """See `Law.words`."""
        (law,) = levels
        assert isinstance(law, SubsetAblation)
        return f"the features of all nodes but {law.kept} random ones are hidden"

    def among(self, rows: int) -> "SubsetAblation":
        """The same law with d = `rows` written out; raises `InputError` if it is one of another d, or keeps more."""
        if self.elements not in (None, rows) or self.kept > count("elements", rows):
            given = "" if self.elements is None else f" of {self.elements}"
            raise InputError(f"there are {rows} rows, but ablation keeps exactly {self.kept}{given}; keep fewer")
        return SubsetAblation(self.kept, rows) if self.elements is None else self
