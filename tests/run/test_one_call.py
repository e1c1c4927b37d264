"""`certify_model` is votes and claims in one call, and a certificate shows itself as page, plot and table."""

import math
import sys
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread
from small_model import graph, model

import graphcert as gc
from graphcert.core.late import HOMES, handed_over
from graphcert.errors import DataError, InputError, OutOfReachWarning, UnsupportedError

FLIPS = gc.BernoulliFlip(0.02, 0.4)
NOISE = gc.Smoothing(FLIPS, gc.BernoulliFlip(0.0, 0.3))
VOTING: dict[str, Any] = {"samples": 300, "pilot_samples": 50, "seed": 3, "workers": 1}


def localized() -> gc.Smoothing:
    return gc.Smoothing([FLIPS, gc.BernoulliFlip(0.1, 0.6)], partition=gc.partition_graph(graph(), 3))


@cache
def certificate() -> gc.Certificate:
    return gc.certify_model(model(), graph(), NOISE, **VOTING)


@cache
def votes() -> gc.Votes:
    return gc.sample_votes(model(), graph(), NOISE, **VOTING)


@cache
def together() -> gc.Certificate:
    return gc.certify_model(model(), graph(), localized(), {"delete": range(4)}, **VOTING)


def plain() -> gc.Certificate:
    return gc.certify(votes(), targets=graph().test_mask.numpy())


# The same claims


def test_the_claims_are_those_of_votes_and_certify() -> None:
    assert certificate().to_dict() == plain().to_dict()
    assert 0.5 < certificate().certified_ratio(gc.Budget(feature_delete=1)) < 1
    assert certificate().votes is not None
    assert certificate().votes.digest == votes().digest  # type: ignore[union-attr]


def test_the_curves_are_those_of_compare_methods() -> None:
    (found,) = together().curves
    data = graph()
    expected = together().compare_methods(
        delete=range(4), methods=["naive", "lp", "tight"], truth=data.y.numpy(), data=data, time_limit=20.0
    )
    assert found.to_dict() == expected.to_dict()
    assert certificate().curves == ()  # isotropic noise: each alone is all that there is


def test_targets_are_the_test_nodes_unless_others_are_named() -> None:
    mask = graph().test_mask.numpy()
    assert np.array_equal(certificate().targets, mask)
    assert gc.certify_model(model(), graph(), NOISE, targets=[4, 7], **VOTING).claims == 2
    unsplit = graph().clone()
    del unsplit.test_mask
    assert gc.certify_model(model(), unsplit, NOISE, **VOTING).claims == 120


def test_a_file_has_the_claims_and_the_votes_bring_the_report_back(tmp_path: Path) -> None:
    certificate().save(tmp_path / "certificate.npz")
    loaded = gc.Certificate.load(tmp_path / "certificate.npz")
    assert loaded.to_dict() == certificate().to_dict()
    assert (loaded.votes, loaded.curves) == (None, ())
    with pytest.raises(InputError, match=r"votes=gc\.Votes\.load"):
        loaded.report(tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
    loaded.report(tmp_path / "loaded.html", graph(), votes=votes())
    plain().report(tmp_path / "plain.html", graph())
    assert (tmp_path / "loaded.html").read_bytes() == (tmp_path / "plain.html").read_bytes()


# Budgets


@pytest.mark.parametrize(
    ("budgets", "axes"),
    [
        (None, [("feature_add",), ("feature_delete",), ("feature_add", "feature_delete")]),
        ({"delete": range(3)}, [("feature_delete",)]),
        ({"delete": [0, 2], "edge_delete": 1}, [("feature_delete",)]),
        (
            {"delete": range(3), "edge_delete": range(2)},
            [("feature_delete",), ("edge_delete",), ("feature_delete", "edge_delete")],
        ),
    ],
)
def test_grids_follow_the_axes(budgets: Any, axes: list[tuple[str, ...]]) -> None:
    found = certificate() if budgets is None else gc.certify_model(model(), graph(), NOISE, budgets, **VOTING)
    grids = found._known.grids
    assert grids is not None
    assert [grid.axes for grid in grids][: len(axes)] == axes
    for grid in grids:
        cells = {name.removeprefix("feature_"): along for name, along in zip(grid.axes, grid.values, strict=True)}
        fixed = {name: value for name, value in vars(grid.fixed).items() if value and name not in grid.axes}
        again = found.grid(**cells, **fixed, truth=graph().y.numpy())
        assert np.array_equal(grid.ratio, again.ratio)
        assert np.array_equal(grid.accuracy, again.accuracy)  # type: ignore[arg-type]


def test_single_budgets_are_in_the_summary_and_in_the_report(tmp_path: Path) -> None:
    asked = [gc.Budget(feature_delete=2), gc.Budget(feature_add=1, feature_delete=1)]
    found = gc.certify_model(model(), graph(), localized(), asked, report=tmp_path / "report.html", **VOTING)
    page = (tmp_path / "report.html").read_text()
    for words in ("2 feature bits deleted", "1 feature bit added and 1 deleted"):
        assert words in found.summary()
        assert page.count(f">{words}<") >= 2  # each target alone, and all at once


def test_norms_are_shown_under_isotropic_noise_too() -> None:
    found = gc.certify_model(model(), graph(), gc.Gaussian(0.5), {"shift": [0.125, 0.25]}, collective=False, **VOTING)
    (curve,) = found.curves[0].values()
    assert [found.robust(shift=norm).sum() for norm in (0.125, 0.25)] == curve.certified.tolist()
    assert "‖δ‖₂ ≤ 0.25" in found.summary()


def test_samples_out_of_reach_are_said_once() -> None:
    with pytest.warns(OutOfReachWarning, match="300 samples are too few") as caught:
        gc.certify_model(model(), graph(), NOISE, {"delete": [30]}, **VOTING)
    assert len(caught) == 1


# Page, plot, table


def test_the_report_is_that_of_a_run(tmp_path: Path) -> None:
    together().report(tmp_path / "report.html", title="My model & graph")
    page = (tmp_path / "report.html").read_text()
    for heading in ("Result", "What exactly is guaranteed", "All targets at once", "Clusters and ranks", "Settings"):
        assert f">{heading}</h2>" in page
    assert "My model &amp; graph" in page
    assert together().votes.manifest["model"] in page  # type: ignore[union-attr]
    assert page.rstrip().endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_report_without_labels_speaks_of_no_accuracy(tmp_path: Path) -> None:
    plain().report(tmp_path / "report.html")
    assert "No target has a known label" in (tmp_path / "report.html").read_text()


def test_a_report_about_another_graph_is_refused(tmp_path: Path) -> None:
    other = graph().clone()
    other.x[0, 0] = 1 - other.x[0, 0]
    with pytest.raises(InputError, match="not those of the graph that was voted on"):
        plain().report(tmp_path / "report.html", other)
    few = gc.sample_votes(model(), graph(), NOISE, 200, 50, 3, workers=1)
    with pytest.raises(InputError, match="made from its votes"):
        plain().report(tmp_path / "report.html", votes=few)
    assert not list(tmp_path.iterdir())


def test_a_plot_shows_the_certified_ratio(tmp_path: Path) -> None:
    truth = np.where(np.arange(120) % 4, graph().y.numpy(), -1)
    figure = certificate().plot("delete", tmp_path / "plot.svg", truth=truth)
    accuracy, ratio = (line.get_data() for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post")
    for k, budget in enumerate(ratio[0].tolist()):
        asked = gc.Budget(feature_delete=budget)
        assert ratio[1][k] == certificate().certified_ratio(asked)
        assert accuracy[1][k] == certificate().certified_accuracy(asked, truth)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["certified accuracy", "certified ratio"]
    assert [text.get_text() for axes in plain().plot("delete").axes for text in axes.texts] == ["certified ratio"]
    assert ElementTree.parse(tmp_path / "plot.svg").getroot().tag.endswith("svg")
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_plot_of_norms_stays_below_every_radius(tmp_path: Path) -> None:
    found = gc.certify_model(model(), graph(), gc.Gaussian(0.5), **VOTING)
    figure = found.plot(path=tmp_path / "plot.png")
    norms, ratios = figure.axes[0].lines[-1].get_data()
    for left, right, ratio in zip(norms[:-1], norms[1:], ratios[:-1], strict=True):
        assert round(ratio * found.claims) <= found.robust(shift=float(np.nextafter(right, left))).sum()
    assert imread(tmp_path / "plot.png").std() > 0


def test_the_default_axis_is_one_on_which_something_is_certified() -> None:
    noise = gc.Smoothing(gc.BernoulliFlip(0.0, 0.05), gc.BernoulliFlip(0.0, 0.8))
    assert gc.certify_model(model(), graph(), noise, **VOTING).plot().axes[0].get_xlabel() == "edge additions"


def test_a_collective_curve_has_a_plot_and_tables(tmp_path: Path) -> None:
    curve = together().curves[0].strongest
    figure = curve.plot(path=tmp_path / "curve.pdf")
    budgets, ratios = figure.axes[0].lines[-1].get_data()
    assert list(budgets) == [0, 1, 2, 3]
    assert list(ratios) == curve.ratio.tolist()
    assert (tmp_path / "curve.pdf").read_bytes().startswith(b"%PDF")
    frame = curve.to_pandas()
    assert frame["certified"].tolist() == curve.certified.tolist()
    assert curve._repr_html_().count("<tr>") == 5
    wide = together().collective(add=[0, 2], delete=range(2), method="naive")
    assert list(wide.plot("delete").axes[0].lines[-1].get_data()[1]) == wide.ratio[:2].tolist()


def test_the_table_per_node_agrees_with_the_claims() -> None:
    found = certificate()
    frame = found.to_pandas()
    assert len(frame) == 120
    for budget in (1, 2, 3):
        robust = found.robust(delete=budget)
        assert np.array_equal(frame["largest_feature_delete"].to_numpy() >= budget, robust)
    silent = frame["largest_feature_delete"] == -1
    assert np.array_equal(silent, found.abstained)
    assert np.array_equal(frame["abstained"], found.abstained & found.targets)
    assert np.array_equal(frame["correct"], found.labels == graph().y.numpy())
    assert np.array_equal(frame["votes"], votes().successes)
    assert "truth" not in plain().to_pandas()
    assert "radius" in gc.certify_model(model(), graph(), gc.Uniform(0.5), **VOTING).to_pandas()


def test_words_for_terminals_and_notebooks() -> None:
    assert repr(certificate()) == repr(plain())
    assert certificate().summary().startswith(repr(certificate()))
    assert "1 feature bit deleted" in certificate().summary()
    assert plain().summary() == repr(plain())
    assert "<td>1 feature bit deleted</td>" in certificate()._repr_html_()
    assert "<table>" not in plain()._repr_html_()
    assert "all at once" in together().summary()


def test_without_pandas_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'graphcert\[pandas\]'"):
        certificate().to_pandas()


# Bad input


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"budgets": {"delete": range(2), "add": range(2), "edge_delete": range(2)}}, InputError, "two axes at most"),
        ({"budgets": {"deletes": 1}}, InputError, "no axis 'deletes'"),
        ({"budgets": [1, 2]}, InputError, "budgets takes a Budget"),
        ({"budgets": {"delete": "12"}}, InputError, "whole number"),
        ({"budgets": {"delete": []}}, InputError, "at least one value"),
        ({"budgets": {"shift": [0.1]}}, InputError, "have a measure for a shift"),
        ({"smoothing": gc.Gaussian(0.5), "budgets": {"shift": [-0.1]}}, InputError, "shift"),
        ({"targets": []}, InputError, "no target nodes"),
        ({"alpha": 0.5}, InputError, "alpha"),
        ({"samples": 5}, InputError, "samples"),
        ({"method": "best"}, InputError, "certificate method"),
        ({"label_share": 1.5}, InputError, "label_share"),
        ({"collective": "tight"}, InputError, "collective must be True or False"),
        ({"time_limit": -1}, InputError, "time_limit"),
        ({"time_limit": math.nan}, InputError, "time_limit"),
        ({"report": 7}, InputError, "report takes the path"),
        ({"ignore": "edge_weight"}, InputError, "ignore names 'edge_weight'"),
        ({"data": object()}, DataError, "the data need features"),
    ],
)
def test_bad_input_is_refused_before_voting(
    arguments: dict[str, Any], error: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphcert.voting.sample.take_votes", lambda *_, **__: pytest.fail("votes were taken"))
    given = {"model": model(), "data": graph(), "smoothing": NOISE, "report": tmp_path / "report.html", **VOTING}
    with pytest.raises(error, match=words) as caught:
        gc.certify_model(**(given | arguments))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_report_that_cannot_be_written_is_refused_before_voting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for report in (tmp_path, tmp_path / "file" / "report.html"):
        with pytest.raises(InputError, match="name a file in a folder that can be written"):
            gc.certify_model(None, graph(), NOISE, report=report)  # type: ignore[arg-type]


@pytest.mark.parametrize(("axis", "path"), [("edge", None), ("shift", None), (None, "plot.txt"), (None, "plot")])
def test_plots_of_other_axes_and_kinds_are_refused(axis: str | None, path: str | None, tmp_path: Path) -> None:
    file = None if path is None else tmp_path / path
    for shown in (certificate(), together().curves[0].strongest):
        with pytest.raises(InputError, match=r"axis|axes|plot is written as"):
            shown.plot(axis, file)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", HOMES)
def test_what_methods_hand_over_is_there(name: str) -> None:
    assert callable(handed_over(name))
