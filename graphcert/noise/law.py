"""The protocol of a law of noise, the registry of laws, and the interpreters that others register for a law.

A law is a frozen description. What is done with it (a trade-off, a sampler, a radius) is an `Interpreter`, filled per law
beside the proof; a law without an entry is refused by name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

from graphcert.core.arguments import positive
from graphcert.errors import InputError, UnsupportedError

Element = Literal["bits", "reals", "rows", "turns"]


@dataclass(frozen=True)
class Setting:
    """The number, or the choice, by which the command line and files of settings ask for a law of features.

    Attributes:
        name: the key in the section [smoothing]; the option is the same with dashes.
        kind: float for a number above 0 (one, or two for the first and the last level), int or bool.
        help, metavar: what the option does, in one sentence, and what stands for the number; None for the usual word.
        shown: the row of a report's table of settings.
    """

    name: str
    kind: type[float] | type[int] | type[bool]
    help: str
    metavar: str | None = None
    shown: str = ""

    @property
    def option(self) -> str:
        """The option of the command line, such as "--half-width"."""
        return f"--{self.name.replace('_', '-')}"


class Law:
    """What every law of noise answers about itself (theory, section 0). A law is a frozen dataclass.

    Attributes:
        name: the name in dictionaries; "" for flips, whose description is the oldest.
        element: what is perturbed, and what an adversary changes: "bits" (counted), "reals" (measured by a norm), whole
            "rows" (changed at will, and counted) or all rows at once by "turns" (measured by the size of the turn).
        symbols: the fields that reports show, each with its symbol.
        setting: how the command line asks for it; None if by other means.
        norm: what measures a change, "ℓ1", "ℓ2" or "turn"; empty where changes are counted.
        of_all_rows: whether this is one law of all rows together, which then has no levels and is not selected.
        selects: whether rows are selected for the noise, and the classifier sees which.
        lattice: the step of the lattice that noise is rounded to, None for none.
        select: the probability with which a row gets the noise.
    """

    name: ClassVar[str] = ""
    element: ClassVar[Element]
    symbols: ClassVar[tuple[tuple[str, str], ...]] = ()
    setting: ClassVar[Setting | None] = None
    norm: ClassVar[str] = ""
    of_all_rows: ClassVar[bool] = False
    selects: ClassVar[bool] = False
    lattice: float | None = None
    select: float = 1.0

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything."""
        return False

    @property
    def row(self) -> "Law":
        """The noise itself, without the selection of rows."""
        return self

    def among(self, rows: int) -> "Law":
        """The same law for a graph of so many rows; raises `InputError` if it is none for them."""
        return self

    def dominates(self, weak: Self) -> bool:
        """Whether what is seen of any change under `weak` is a post-processing of what is seen under this law.

        Both are laws of one kind (theory, section 1). Then changes do at least as much damage under this law as under
        `weak`, alone or together with others.
        """
        raise NotImplementedError

    @classmethod
    def worst(cls, levels: Sequence[Self]) -> "Law":
        """One law that dominates all levels, for kinds in a total order (all but flips)."""
        (strongest,) = undominated(levels)
        return strongest

    @classmethod
    def words(cls, levels: Sequence[Self]) -> str:
        """What happens to features, as a clause: "features are hidden"."""
        raise NotImplementedError

    def adversary_words(self, limit: str = "", edges: str = "undirected edges") -> str:
        """What a budget lets an adversary do, as a predicate; `limit` says in how many nodes, `edges` what edges are."""
        raise NotImplementedError

    @classmethod
    def from_setting(cls, value: Any, lattice: float | None) -> Self:
        """The law that `setting` asks for with a value."""
        arguments = () if isinstance(value, bool) else (value, lattice) if cls.norm else (value,)
        return cls(*arguments)

    def to_dict(self) -> dict[str, Any]:
        """A plain description; `law_from_dict` inverts it. What is not set is not named, so that old descriptions stay."""
        described = {key: value for key, value in asdict(self).items() if value is not None}  # type: ignore[call-overload]
        return {"law": self.name, **described} if self.name else described


class RealLaw(Law):
    """A law of real features: x + s·ε, the entries of ε independent and of one law that does not depend on the scale s.

    A change by a vector v is as hard to see as v/s at scale 1, so all that matters of a change is its norm in units of the
    scale, and a smaller scale hides less: a shift that is spread over parts with scales s_j is bounded by the trade-off at
    scale 1 of the norm Σ‖v_j‖/s_j (ℓ1) or √Σ(‖v_j‖/s_j)² (ℓ2), and that by the one of the whole norm at the least s_j.

    A subclass is a frozen dataclass with the scale as its first field, `lattice` as its second, and `norm`, `name`,
    `symbols`, `title` and `setting` as class attributes; see `register_law`.

    *Lattice.* With `lattice` = h the noise is rounded to whole multiples of h, for clean *and perturbed* features that are
    whole multiples of h (h = 1/255 for images of 8 bits). For such x, round(x + ε) = x + round(ε): what the classifier sees
    is a post-processing of x + ε, so the trade-off of ε is a sound lower bound, and x + round(ε) is added exactly. Nothing
    is claimed about perturbed features off the lattice. Without `lattice`, noisy features are floats, and the certificate
    assumes that their rounding tells the classifier nothing about x (theory, section 11, trap 12; Voráček & Hein 2023).
    """

    element = "reals"
    title: ClassVar[str]
    """The noise with its scale, such as "Gaussian noise of standard deviation {}"."""

    @cached_property
    def scale(self) -> float:
        """The number that ε is multiplied by, before any rounding."""
        value: float = getattr(self, self.symbols[0][0])
        return value

    def at_scale(self, scale: float) -> Self:
        """The law of this kind with another scale, not rounded to a lattice."""
        return type(self)(scale)  # type: ignore[call-arg]

    def dominates(self, weak: Self) -> bool:
        """See `Law.dominates`. Rounded noise counts as what it was before rounding."""
        return self.scale <= weak.scale

    @classmethod
    def words(cls, levels: Sequence[Self]) -> str:
        """See `Law.words`."""
        steps = {law.lattice for law in levels if law.lattice is not None}
        rounded = "".join(f", rounded to whole multiples of {step:g}" for step in steps)
        return f"features carry {cls.title.format(rates_words(law.scale for law in levels))}{rounded}"

    def adversary_words(self, limit: str = "", edges: str = "undirected edges") -> str:
        """See `Law.adversary_words`."""
        steps = "" if self.lattice is None else f" to other whole multiples of {self.lattice:g}"
        return (
            f"moves the features{steps} by at most that {self.norm} norm{limit}, or adds and deletes at most that many "
            f"{edges}"
        )

    def _check(self, what: str) -> None:
        """Replace scale and lattice by floats; raises `InputError` unless they are finite numbers above 0."""
        name = self.symbols[0][0]
        object.__setattr__(self, name, positive(f"the {what} '{name}'", getattr(self, name)))
        if self.lattice is not None:
            object.__setattr__(self, "lattice", positive("the step 'lattice'", self.lattice))


LAWS: list[type[Law]] = []
"""The laws that samplers and certificates know, in the order in which they were registered."""

AnyLaw = TypeVar("AnyLaw", bound=Law)
Found = TypeVar("Found")


def known_law(kind: type[AnyLaw]) -> type[AnyLaw]:
    """Add a law to the registry; raises `InputError` for a name or a setting that another law has."""
    for other in LAWS:
        if other.name == kind.name:
            raise InputError(f"there is a law named {kind.name!r} already; give yours another name")
        if kind.setting is not None and other.setting is not None and other.setting.name == kind.setting.name:
            raise InputError(f"{other.__name__} is asked for by {kind.setting.name!r} already; take another setting")
    LAWS.append(kind)
    return kind


def checked_real_law(law: Any) -> type[RealLaw]:
    """The class itself; raises `InputError` unless it is a dataclass of `RealLaw` with all that one has to say."""
    if not (isinstance(law, type) and issubclass(law, RealLaw) and hasattr(law, "__dataclass_fields__")):
        raise InputError(f"register_law takes a frozen dataclass that is a subclass of RealLaw, got {law!r}")
    missing = [name for name in ("name", "norm", "symbols", "title") if not getattr(law, name, None)]
    if missing or law.norm not in ("ℓ1", "ℓ2"):
        raise InputError(f"{law.__name__} must set {', '.join(missing) or 'norm to ℓ1 or ℓ2'}; see RealLaw")
    return law


def settings_of_laws() -> dict[str, type[Law]]:
    """The laws that the command line and files of settings ask for by a number or choice, by its name."""
    return {law.setting.name: law for law in LAWS if law.setting is not None}


def measured_laws() -> str:
    """The laws whose changes are measured by a norm, in words."""
    names = [law.__name__ for law in LAWS if law.norm]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def measured_options() -> str:
    """The options of the command line that ask for such laws, in words."""
    return " or ".join(law.setting.option for law in LAWS if law.norm and law.setting is not None)


class Interpreter(Generic[Found]):
    """What one part of the package does with a law, such as its "trade-off": one entry per law, found by its exact type."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._entries: dict[type, Found] = {}

    def register(self, kind: type) -> Callable[[Found], Found]:
        """A decorator that makes something the entry of a law."""

        def enter(found: Found) -> Found:
            self._entries[kind] = found
            return found

        return enter

    def get(self, law: object) -> Found | None:
        """The entry of a law, or None."""
        return self._entries.get(type(law))

    def of(self, law: object) -> Found:
        """The entry of a law; a law without one is refused by naming those that have one, a subclass of these as well."""
        found = self.get(law)
        if found is None:
            refuse_subclass(law, self._entries)
            names = ", ".join(kind.__name__ for kind in self._entries)
            raise UnsupportedError(f"no {self._what} is known for {law!r}; it is known for {names}")
        return found


def refuse_subclass(value: object, kinds: Iterable[type]) -> None:
    """Raise `InputError` for an object of a subclass of one of the kinds, unless that is one of the kinds too."""
    parents = [base for base in type(value).__mro__ if base in kinds]
    if parents and parents[0] is not type(value):
        name, parent = type(value).__name__, parents[0].__name__
        treated = f"{name} is a subclass of {parent} and would be treated as its parent, whatever it changes"
        raise InputError(f"{treated}; give {parent} itself")


def undominated(laws: Iterable[AnyLaw]) -> tuple[AnyLaw, ...]:
    """The distinct laws that no other dominates, the first of equals: elsewhere an adversary gains nothing."""
    kept: list[AnyLaw] = []
    for law in dict.fromkeys(laws):
        if not any(other.dominates(law) for other in kept):
            kept = [*(other for other in kept if not law.dominates(other)), law]
    return tuple(kept)


def law_from_dict(description: Mapping[str, Any]) -> Law:
    """Rebuild a law from `Law.to_dict`; raises `InputError` on anything else."""
    given = dict(description)
    name = given.pop("law", "")
    kinds = {law.name: law for law in LAWS}
    try:
        if isinstance(name, str) and name in kinds:
            return kinds[name](**given)
    except TypeError as error:
        parameters = f"the parameters of {name!r}" if name else "add and delete"
        raise InputError(f"a {'' if name else 'flip '}law is described by {parameters}: {error}") from None
    named = ", ".join(repr(known) for known in kinds if known)
    raise InputError(f"the laws are flips (without a name), {named}; got {name!r}")


def rates_words(rates: Iterable[float]) -> str:
    """One number, or the range of a localized scheme."""
    found = sorted(rates)
    low, high = found[0], found[-1]
    return f"{low:g}" if low == high else f"{low:g} to {high:g} (by cluster)"
