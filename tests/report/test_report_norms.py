"""What a report says about changes that are measured by a norm: every number, and none larger than was proved."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from report_contents import Page, default_content, norm_content, selected_norm_content
from svg_reading import texts

from graphcert.certificates.method_hierarchy import MethodComparison
from graphcert.collective import CollectiveCurve
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES, Uniform
from graphcert.report import ReportContent, render, summary_lines
from graphcert.report.frame.html import RATIO_CELL
from graphcert.report.frame.wording import number, percent, shift_words, size_of_change
from graphcert.report.graphs.sweep import largest_gain
from graphcert.report.plots import heat_map_plot, shares_plot
from graphcert.run.collective_results import Collective

CONTENTS = {"ℓ2": norm_content(), "ℓ1": norm_content(Uniform)}
SELECTED = selected_norm_content()


def words_of(content: ReportContent) -> str:
    return " ".join("".join(Page(render(content)).text).split())


@pytest.mark.parametrize("norm", CONTENTS)
def test_every_number_behind_the_plot_is_the_curves_and_no_norm_is_written_too_large(norm: str) -> None:
    content = CONTENTS[norm]
    rows = Page(render(content)).tables[f"{norm} norm of the change"]
    naive, linear, best = content.collective[0].values()
    assert len(rows) == 1 + len(best)
    for i, row in enumerate(rows[1:]):
        exact = Fraction(float(best.budgets[i, 0]))
        assert exact * Fraction(999, 1000) <= Fraction(row[0]) <= exact
        assert row[1:5] == [
            *(number(int(curve.certified[i])) for curve in (naive, linear, best)),
            percent(int(best.certified[i]), best.targets),
        ]
    # Some of these floats are no short decimals, so that rounding up would be seen.
    assert any(
        Fraction(row[0]) != Fraction(float(norm)) for row, norm in zip(rows[1:], best.budgets[:, 0], strict=True)
    )


@pytest.mark.parametrize("norm", CONTENTS)
def test_the_section_the_plot_and_the_terminal_name_the_norm(norm: str) -> None:
    content = CONTENTS[norm]
    said = words_of(content)
    assert f"A budget is the {norm} norm of the change δ of all features together, {size_of_change(norm)}" in said
    assert "Between two norms a line shows what holds at the larger one." in said
    assert "Where one perturbation does most harm" not in said
    other = next(name for name in CONTENTS if name != norm)
    assert size_of_change(other) not in said
    found = largest_gain(content.sweeps)
    assert found is not None
    sweep, i = found
    assert sweep.gain[i] > 0
    claims, at = content.certificate.claims, shift_words(norm, float(sweep.best.budgets[i, 0]))
    together, alone = (int(curve.certified[i]) for curve in (sweep.best, sweep.curves["naive"]))
    line = f"all at once: {percent(together, claims)} at {at} (each alone {percent(alone, claims)})"
    assert line in summary_lines(content)
    svg = shares_plot("feature_shift", (0.0, 0.5), {"a": np.array([1.0, 0.5])}, "", "x", norm)
    assert f"{norm} norm of the change" in texts(svg)


@pytest.mark.parametrize("content", [*CONTENTS.values(), SELECTED], ids=["ℓ2", "ℓ1", "selected"])
def test_half_of_the_targets_survive_what_the_terminal_says(content: ReportContent) -> None:
    (line,) = (line for line in summary_lines(content) if line.startswith("half of the targets hold up to"))
    limit = 1 if content is SELECTED else None
    assert line.endswith("in at most 1 node") == (limit is not None)
    norm = float(line.split("≤ ")[1].split(" ")[0])
    certificate = content.certificate
    assert 2 * certificate.robust(nodes=limit, shift=norm).sum() >= certificate.claims
    assert 2 * certificate.robust(nodes=limit, shift=1.01 * norm).sum() <= certificate.claims + 1, (
        "nor is it far too small"
    )


def test_norms_and_limits_of_nodes_make_a_map_a_curve_each_and_tables() -> None:
    both, shifts, nodes = SELECTED.sweeps
    assert (both.axes, shifts.axes, nodes.axes) == (("feature_shift", "nodes"), ("feature_shift",), ("nodes",))
    assert shifts.heading == "ℓ2 norm of the change, in at most 2 nodes"
    assert nodes.heading == "Touched nodes, ‖δ‖₂ ≤ 0.1"
    panel = both.panel(both.best.ratio)
    assert panel is not None
    assert panel.values[1] == (1, 2)
    for i, k in np.ndindex(panel.numbers.shape):
        robust = SELECTED.certificate.robust(nodes=int(panel.values[1][k]), shift=panel.values[0][i])
        assert panel.numbers[i, k] == pytest.approx(robust.sum() / SELECTED.certificate.claims)
    tables = Page(render(SELECTED)).tables
    assert [row[0] for row in tables["Touched nodes, ‖δ‖₂ ≤ 0.1"][1:]] == ["1", "2", "3"]
    assert tables["ℓ2 norm of the change and touched nodes"][-1][0] == "‖δ‖₂ ≤ 0.8 in at most 2 nodes"
    svg = heat_map_plot(panel, RATIO_CELL, "m", "Ratio")
    assert {"0.1", "0.8", "touched nodes"} <= set(texts(svg))


def test_curves_over_norms_survive_their_files_and_the_table_is_a_text_that_is_read_back() -> None:
    for content in (CONTENTS["ℓ2"], SELECTED):
        kept = Collective(tuple(MethodComparison(ladder) for ladder in content.collective))
        claims = content.certificate.claims
        again = Collective.from_json(kept.to_json("votes", 0.01), "votes", 0.01, claims)
        assert again is not None
        assert [list(ladder) for ladder in again.comparisons] == [list(ladder) for ladder in kept.comparisons]
        for one, other in zip(kept.comparisons, again.comparisons, strict=True):
            for method, curve in one.items():
                assert curve.to_dict() == other[method].to_dict()
                assert other[method].budgets.dtype == np.float64
        assert again.table() == kept.table()
        assert Collective.from_json(kept.to_json("votes", 0.01), "others", 0.01, claims) is None
        rows = [line.split(",") for line in kept.table().splitlines()]
        column, limit = rows[0].index("feature_shift"), rows[0].index("nodes") if "nodes" in rows[0] else None
        exact = [
            budget for ladder in kept.comparisons for curve in ladder.values() for budget in curve.budgets.tolist()
        ]
        for row, budget in zip(rows[1:], exact, strict=True):
            assert Fraction(row[column]) <= Fraction(budget[0])
            assert float(row[column]) == pytest.approx(budget[0], rel=1e-11)
            assert limit is None or row[limit] == str(int(budget[1]))


def test_norms_say_nothing_under_flips_and_are_not_mixed_with_counts() -> None:
    content, flips = CONTENTS["ℓ2"], default_content()
    (sweep, _), claims = content.collective, flips.certificate.claims
    curve = replace(sweep["naive"], targets=claims)
    with pytest.raises(UnsupportedError, match="under continuous noise"):
        replace(flips, collective=({"naive": curve},))
    counts = CollectiveCurve.from_dict(
        sweep["naive"].to_dict() | {"axes": AXES, "budgets": [[k, 0, 0, 0] for k in range(len(sweep["naive"]))]}
    )
    with pytest.raises(InputError, match="differ from those of naive"):
        replace(content, collective=({"naive": sweep["naive"], "lp": counts},))
    assert shift_words("ℓ2", 0.0, 3) == "no change"
