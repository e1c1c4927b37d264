"""Numbers and budgets as words; every percentage is rounded down, towards "not certified"."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphcert.certificates.attack_allocation import OBJECTS
from graphcert.collective.curve import SHIFT
from graphcert.noise import AXES, CHANNELS, Budget, Law, Scheme
from graphcert.tradeoff.base import norm_words

_OPERATIONS = {"add": "additions", "delete": "deletions"}
_AXES = {
    "nodes": "touched nodes", SHIFT: "norm of the change", "injected": "injected nodes", "degree": "edges of each",
    "edges": "changed edges", "rows": "nodes with changed features",
}  # fmt: skip
_SUBSCRIPTS = str.maketrans("12", "₁₂")

NOTHING = "–"

_METHODS: Mapping[str, tuple[str, str]] = {
    "naive": ("each node alone", "each alone"),
    "rows": ("collective, each alone against the same rows", "same rows"),
    "lp": ("collective, linear program", "linear program"),
    "milp": ("collective, integer program", "integer program"),
    "enumerated": ("collective, all attacks one by one", "all attacks"),
    "tight-lp": ("collective, linear program of exact trade-offs", "exact LP"),
    "tight": ("collective, exact trade-offs", "exact trade-offs"),
    "lp-2": ("published, linear program", "published LP"),
    "milp-2": ("published, integer program", "published MILP"),
}
"""Methods of collective certificates: in a text, and where there is little room."""


def percent(count: int, total: int) -> str:
    """A share in percent with one decimal, rounded down; a dash for a share of nothing."""
    if total == 0:
        return NOTHING
    tenths = 1000 * count // total
    return f"{tenths // 10}.{tenths % 10}%"


def points(count: int, total: int) -> str:
    """A difference of two shares in percentage points with its sign, rounded down: "+11.1", "−0.4"."""
    tenths = 1000 * count // total
    return f"{'−' if tenths < 0 else '+'}{abs(tenths) // 10}.{abs(tenths) % 10}"


def number(count: int) -> str:
    """A whole number with separated thousands."""
    return f"{count:,}"


def axis_words(axis: str) -> str:
    """The name of an axis: "feature additions", "touched nodes", "norm of the change"."""
    if axis in _AXES:
        return _AXES[axis]
    channel, _, operation = axis.partition("_")
    return f"{channel} {_OPERATIONS[operation]}"


def budget_words(budget: Budget) -> str:
    """A budget in words: "2 feature bits added and 1 deleted in at most 2 nodes, 1 edge deleted"."""
    channels: dict[str, list[str]] = {}
    for axis, count in zip(AXES, budget.as_tuple(), strict=True):
        if count:
            thing, change = OBJECTS[axis]
            noun = "" if thing in channels else f" {thing}" if count == 1 else f" {thing}s"
            channels.setdefault(thing, []).append(f"{number(count)}{noun} {change}")
    words = {thing: " and ".join(parts) for thing, parts in channels.items()}
    if budget.nodes:
        bits = words.pop("feature bit", "")
        # Without bits a number of nodes is a budget of its own: any change of so many rows.
        changed = f"{bits} in at most {_nodes(budget.nodes)}" if bits else f"{_nodes(budget.nodes)} changed"
        words = {"feature bit": changed, **words}
    return ", ".join(words.values()) or "no change"


def change_words(norm: str) -> str:
    """The name of the axis of changes: "ℓ2 norm of the change", or under turns "shift of the turn"."""
    return "shift of the turn" if norm == "turn" else f"{norm} {axis_words(SHIFT)}"


def injection_words(injected: int, degree: int, edges: int, rows: int) -> str:
    """A budget of new nodes in words: "140 nodes added with up to 6 edges each, 1 edge changed"."""
    words = [f"{_nodes(injected)} added with up to {number(degree)} edge{'s' * (degree != 1)} each"] * (injected > 0)
    words += [f"{number(edges)} edge{'s' * (edges != 1)} changed"] * (edges > 0)
    words += [f"the features of {_nodes(rows)} changed"] * (rows > 0)
    return ", ".join(words) or "no change"


def size_of_change(norm: str) -> str:
    """The size of a change δ: "‖δ‖₂" for "ℓ2", "shift" for a turn."""
    if norm == "turn":
        return "shift"
    return f"‖δ‖{norm.removeprefix('ℓ').translate(_SUBSCRIPTS)}"


def shift_words(norm: str, shift: float, nodes: int | None = None) -> str:
    """A budget that is a norm: "‖δ‖₂ ≤ 0.25 in at most 2 nodes"; the norm is rounded down."""
    if not shift:
        return "no change"
    moved = f"{size_of_change(norm)} ≤ {norm_words(shift)}"
    return moved if nodes is None else f"{moved} in at most {_nodes(nodes)}"


def _nodes(count: int) -> str:
    return f"{number(count)} node{'' if count == 1 else 's'}"


def method_words(method: str) -> str:
    """The name of a collective method: "collective, linear program"; an unknown one is shown as it is."""
    return _METHODS.get(method, (method, method))[0]


def method_name(method: str) -> str:
    """The same where there is little room: "linear program"."""
    return _METHODS.get(method, (method, method))[1]


def besides(fixed: Budget) -> str:
    """What is changed at every point of a grid besides its axes, and where, as an addition to a heading."""
    always = replace(fixed, nodes=None)
    words = "" if always == Budget() else f", besides {budget_words(always)}"
    return words if fixed.nodes is None else f"{words}, in at most {_nodes(fixed.nodes)}"


def heading(axis: str, fixed: Budget) -> str:
    """An axis, and what is changed at every point of a grid besides it."""
    return axis_words(axis) + besides(fixed)


def alternatives(words: Sequence[str]) -> str:
    """ "a", "a or b", "a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def seconds(duration: float) -> str:
    """A duration: "0.42 s", "12.3 s", "3 min 05 s"."""
    if duration < 60:
        return f"{duration:.2f} s" if duration < 10 else f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest:02d} s"


def setting(value: object) -> str:
    """A value of the settings as text."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {setting(item)}" for key, item in value.items()) or NOTHING
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(setting(item) for item in value) or NOTHING
    return str(value)


def flip_words(smoothing: Scheme) -> str:
    """The rates of isotropic flips: "features θ⁺ = 0.01, θ⁻ = 0.6"."""
    laws = {channel: smoothing.levels(channel) for channel in CHANNELS}
    return ", ".join(f"{c} θ⁺ = {law[0].add:.4g}, θ⁻ = {law[0].delete:.4g}" for c, law in laws.items() if law)


def channel_words(channel: str, levels: Sequence[Law]) -> str:
    """The parameters of a channel's noise, or their ranges over the levels of a localized scheme."""
    rows = [level.row for level in levels]
    shown = [f"{symbol} = {_range([getattr(law, field) for law in rows])}" for field, symbol in rows[0].symbols]
    words = f"{channel} {', '.join(shown) or 'hidden'}"
    if not levels[0].selects:
        return words
    return f"{words}, in rows selected with probability {_range([level.select for level in levels])}"


def parameters(law: Law) -> dict[str, str]:
    """The numbers of a law and of the selection of its rows, under their symbols; what it does not have is left out."""
    found = {"select": law.select} if law.selects else {}
    found |= {symbol: getattr(law.row, field) for field, symbol in law.row.symbols}
    if law.row.lattice is not None:
        found["lattice"] = law.row.lattice
    return {name: f"{value:.4g}" for name, value in found.items()}


def _range(rates: Sequence[float]) -> str:
    low, high = min(rates), max(rates)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
