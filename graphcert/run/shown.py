"""A certificate as a report, a plot and a table of numbers: what its methods of these names call."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates import Certificate
from graphcert.certificates.budget_grid import counted_axes
from graphcert.certificates.clean_graph import CleanGraph
from graphcert.certificates.shown import Known
from graphcert.collective.curve import SHIFT
from graphcert.core.arguments import one_of
from graphcert.core.arrays import Floats
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import CHANNELS
from graphcert.report import ReportContent, collective_lines, summary_lines, write_report
from graphcert.report.frame.wording import channel_words
from graphcert.report.graphs.measures import headline_table
from graphcert.report.plots.figures import ShownFigure, kind_of_file, shares_figure
from graphcert.run.adaptive import sampling_facts
from graphcert.run.budget_choice import budget_grids, last_certified, quiet_grid
from graphcert.run.provenance import cluster_links, drawn_graph, edge_count
from graphcert.run.settings.stages import CertificateConfig
from graphcert.votes import Votes

_NORM_STEPS = 100


def true_labels(data: Any, nodes: int) -> NDArray[np.int64] | None:
    """(N,) `data.y`, of shape (N,) or (N, 1), as whole numbers; None if the data have no such labels."""
    y = getattr(data, "y", None)
    if y is None:
        return None
    found = np.asarray(y.detach().cpu() if hasattr(y, "detach") else y)
    single = found.reshape(nodes) if found.shape == (nodes, 1) else found
    return single.astype(np.int64) if single.shape == (nodes,) and single.dtype.kind in "iu" else None


def certificate_content(
    certificate: Certificate, data: Any = None, votes: Votes | None = None, truth: ArrayLike | None = None,
    title: str | None = None,
) -> ReportContent:  # fmt: skip
    """What a report of a certificate shows; arguments and errors are those of `Certificate.report`."""
    if certificate.rows is not None:
        raise UnsupportedError(
            "this page is about the nodes of one graph; `graphcert classify` writes one about inputs, and plot(…) draws "
            "their curves"
        )
    known: Known = certificate._known
    votes = known.votes if votes is None else votes
    if votes is None:
        raise InputError(
            "a report shows votes, which a certificate read from a file does not hold; give them, "
            "report(path, votes=gc.Votes.load(…))"
        )
    if data is not None:
        CleanGraph.of(data, certificate.smoothing, certificate.nodes, certificate.data_fingerprint)
    graph = known.data if data is None else data
    labels = _labels(certificate, graph, truth)
    grids = budget_grids(certificate, labels, CertificateConfig()) if known.grids is None else known.grids
    return ReportContent(
        title=title or known.title, certificate=certificate, votes=votes, truth=labels, grids=grids,
        settings=_settings(certificate, votes, graph), timings=known.timings, collective=known.curves,
        links=None if graph is None else cluster_links(certificate.smoothing, graph), budgets=known.budgets,
        graph=None if graph is None else drawn_graph(certificate.smoothing, graph),
    )  # fmt: skip


def _labels(certificate: Certificate, data: Any, truth: ArrayLike | None) -> NDArray[np.int64]:
    """(N,) true labels: those that are given, else those of the data, else those that are remembered, else −1."""
    for found in (truth, true_labels(data, certificate.nodes), certificate._known.truth):
        if found is not None:
            certificate.correct(found)  # refuses anything but one integer per node
            return np.asarray(found, np.int64)
    return np.full(certificate.nodes, -1)


def _settings(certificate: Certificate, votes: Votes, data: Any) -> dict[str, dict[str, Any]]:
    """The table of settings, as far as certificate, votes and graph tell."""
    made, noise = votes.manifest, certificate.smoothing
    graph: dict[str, Any] = {"nodes": votes.nodes, "classes": votes.classes}
    if data is not None:
        graph |= {**edge_count(noise, data), "features": int(data.x.shape[1])}
    words = {channel: channel_words(channel, noise.levels(channel)) for channel in CHANNELS if noise.perturbs(channel)}
    clusters = None if noise.partition is None else noise.partition.clusters
    return {
        "dataset": {**graph, "sha256": made.get("data")}, "model": {"sha256": made.get("model")},
        "smoothing": {**words, "clusters": clusters},
        "sampling": {
            "samples": votes.samples, **sampling_facts(votes), "pilot_samples": votes.pilot_samples,
            "seed": made.get("seed"), "path": made.get("path"), "ignored": made.get("ignored"),
        },
        "certificate": {
            "alpha": certificate.alpha, "method": certificate.method, "label_share": certificate.label_share,
            "claims": "all together" if certificate.simultaneous else "each by itself",
        },
        "environment": {name: made.get(name) for name in ("graphcert", "torch", "processor")},
    }  # fmt: skip


def write_certificate_report(
    certificate: Certificate, path: str | os.PathLike[str], data: Any, votes: Votes | None, truth: ArrayLike | None,
    title: str | None,
) -> None:  # fmt: skip
    """See `Certificate.report`."""
    write_report(Path(path), certificate_content(certificate, data, votes, truth, title))


def certificate_numbers(certificate: Certificate) -> list[str]:
    """The lines of a summary below what the certificate says of itself."""
    content = certificate_content(certificate)
    together = collective_lines(content, "the others are in curves") if content.collective else []
    return [*summary_lines(content)[1:], *together[1:]]


def certificate_headline(certificate: Certificate) -> list[list[str]]:
    """A header, and a row per budget of the summary."""
    return headline_table(certificate_content(certificate))


def certificate_plot(
    certificate: Certificate, axis: str | None, path: str | os.PathLike[str] | None, truth: ArrayLike | None
) -> ShownFigure:
    """See `Certificate.plot`."""
    if path is not None:
        kind_of_file(path)
    axes = [name.removeprefix("feature_") for name in counted_axes(certificate.smoothing)]
    axes += ["shift"] * bool(certificate.smoothing.norm)
    if axis is not None:
        one_of("the axis of a plot", axis, axes)
    known = _labels(certificate, certificate._known.data, truth)
    has_truth = bool((known[certificate.targets] >= 0).any())
    line = None
    for one in axes if axis is None else [axis]:
        line = _norms(certificate, known) if one == "shift" else _counts(certificate, known, one)
        if line.ratio[1:].any():  # else additions, say, never happen under the noise; try the next axis
            break
    assert line is not None  # every scheme perturbs something
    accuracy = line.accuracy if has_truth else None
    return shares_figure(line.axis, line.values, line.ratio, accuracy, certificate.smoothing.norm, path)


class _Line(NamedTuple):
    """Certified ratio and accuracy (B,) over budgets."""

    axis: str
    values: tuple[float, ...]
    ratio: Floats
    accuracy: Floats | None


def _counts(certificate: Certificate, truth: NDArray[np.int64], axis: str) -> _Line:
    """Up to the first budget at which nothing is certified."""
    grid = quiet_grid(certificate, truth, **{axis: range(last_certified(certificate, axis) + 2)})
    return _Line(grid.axes[0], grid.values[0], grid.ratio, grid.accuracy)


def _norms(certificate: Certificate, truth: NDArray[np.int64]) -> _Line:
    """Up to the largest radius, by even steps; a radius itself counts as not certified."""
    radius, correct = certificate.radius(), certificate.correct(truth)
    end = float(radius[np.isfinite(radius)].max(initial=0.0)) or 1.0
    norms = np.linspace(0.0, end, _NORM_STEPS + 1)
    robust = radius > norms[:, None]
    robust[0] = ~certificate.abstained
    ratio, accuracy = (found.sum(axis=1) / certificate.claims for found in (robust, robust & correct))
    return _Line(SHIFT, tuple(norms.tolist()), ratio, accuracy)
