"""The colours of a report: what each one means, in light and in dark mode."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """One colour under the name of its meaning, as `#rrggbb`.

    Plots are drawn in the light colour, which the page then replaces by the style sheet's variable `name`; hence light
    colours differ from each other.
    """

    name: str
    light: str
    dark: str


PAGE = Colour("page", "#ffffff", "#14181d")
PANEL = Colour("panel", "#f5f7f9", "#1c2229")
INK = Colour("ink", "#1b2128", "#e4e8ec")
MUTED = Colour("muted", "#5b6671", "#9aa6b2")
RULE = Colour("rule", "#dde2e7", "#333c46")
RATIO = Colour("ratio", "#0a5fae", "#5fb0f5")
ACCURACY = Colour("accuracy", "#b84a00", "#f2a154")
RATIO_CELL = Colour("ratio-cell", "#0a5faf", "#2a78c8")
ACCURACY_CELL = Colour("accuracy-cell", "#b84a01", "#b5601c")
GAIN_CELL = Colour("gain-cell", "#1f766a", "#2a8274")
RANK_CELL = Colour("rank-cell", "#62489f", "#7a60bd")
ON_CELL = Colour("on-cell", "#fffffe", "#ffffff")
CORRECT = Colour("correct", "#2a7d72", "#4fb0a3")
WRONG = Colour("wrong", "#c0458b", "#e27ab5")
UNKNOWN = Colour("unknown", "#69747f", "#8d98a3")
WARNING = Colour("warning", "#fff6e0", "#33290f")
LINES = (
    Colour("line-1", "#4f0873", "#c989a1"),
    Colour("line-2", "#c54c00", "#d86a11"),
    Colour("line-3", "#17864a", "#4b9359"),
    Colour("line-4", "#9d195d", "#f200bb"),
    Colour("line-5", "#6a0700", "#d8da24"),
    Colour("line-6", "#1a0eb1", "#50ff88"),
    Colour("line-7", "#20262d", "#d1eadd"),
)
"""Of curves beside one in `RATIO`: far from it and from each other, for readers of every kind of colour vision."""

PALETTE = (
    PAGE, PANEL, INK, MUTED, RULE, RATIO, ACCURACY, RATIO_CELL, ACCURACY_CELL, GAIN_CELL, RANK_CELL, ON_CELL, CORRECT,
    WRONG, UNKNOWN, WARNING, *LINES,
)  # fmt: skip
