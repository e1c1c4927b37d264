"""Report contents for tests: made-up votes of nodes with known probabilities, certified by the library."""

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np

from graphcert.certificates import BudgetGrid, Certificate, certify
from graphcert.collective import CollectiveCurve
from graphcert.noise import BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing, Uniform
from graphcert.report import ReportContent
from graphcert.run.settings.stages import norm_values
from graphcert.votes import Votes

FEATURES, EDGES = BernoulliFlip(0.05, 0.6), BernoulliFlip(0.02, 0.5)
ONLY_FEATURES, ONLY_EDGES, BOTH = Smoothing(FEATURES), Smoothing(edges=EDGES), Smoothing(FEATURES, EDGES)
CLASSES = 5
NORMS = norm_values("shift", "0:0.8:0.1")

SETTINGS = {
    "dataset": {"name": "made up", "options": {"nodes": 300, "seeds": [1, 2]}, "sha256": "0123456789abcdef" * 4},
    "sampling": {"samples": 2000, "resumed": False, "workers": None},
}


def make_votes(
    nodes: int = 300,
    smoothing: Smoothing = ONLY_FEATURES,
    samples: int = 2000,
    clarity: float = 30,
    seed: int = 0,
    total_variation: float = 0.0,
) -> tuple[Votes, np.ndarray]:
    """Votes and true labels; the larger `clarity`, the clearer the votes."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([clarity, 1, 1, 1, 1], nodes)
    p = np.take_along_axis(p, rng.permuted(np.tile(np.arange(CLASSES), (nodes, 1)), axis=1), axis=1)
    votes = Votes(rng.multinomial(200, p), rng.multinomial(samples, p), smoothing, total_variation=total_variation)
    truth = np.where(rng.random(nodes) < 0.8, votes.labels, rng.integers(0, CLASSES, nodes))
    return votes, truth.astype(np.int64)


def make_grids(certificate: Certificate, truth: np.ndarray | None, end: int = 6) -> tuple[BudgetGrid, ...]:
    """A curve per operation and a heat map per channel that is perturbed."""
    grids: list[BudgetGrid] = []
    for channel, add, delete in (("features", "add", "delete"), ("edges", "edge_add", "edge_delete")):
        if certificate.smoothing.perturbs(channel) and isinstance(
            certificate.smoothing.levels(channel)[0], BernoulliFlip
        ):
            grids += [certificate.grid(**{axis: range(end + 1)}, truth=truth) for axis in (add, delete)]
            grids.append(certificate.grid(**{add: range(end), delete: range(end + 1)}, truth=truth))
    return tuple(grids)


def make_content(votes: Votes, truth: np.ndarray, targets: Any = None, **changes: Any) -> ReportContent:
    """The content of a report; `changes` replace its fields or, if they are arguments of `certify`, go there."""
    options = {key: changes.pop(key) for key in ("alpha", "simultaneous", "method") if key in changes}
    certificate = certify(votes, targets=targets, **options)
    content = ReportContent(
        title="GCN on made-up votes",
        certificate=certificate,
        votes=votes,
        truth=truth,
        grids=make_grids(certificate, truth),
        settings=SETTINGS,
        timings={"training": 12.3, "sampling": 187.4},
    )
    return replace(content, **changes)


def default_content() -> ReportContent:
    votes, truth = make_votes()
    return make_content(votes, truth, targets=np.arange(0, votes.nodes, 2))


def make_clusters(clusters: int, nodes: int, seed: int = 0) -> tuple[Partition, np.ndarray]:
    """Clusters of different sizes, and the edges between them."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(clusters), rng.integers(0, rng.integers(1, clusters + 1, nodes - clusters))])
    links = np.triu(rng.poisson(3 * rng.random((clusters, clusters))))
    links = links + np.triu(links, 1).T
    return Partition.of_affinity(labels, links), links


def localized_content(
    clusters: int = 4, nodes: int = 80, both: bool = False, methods: tuple[str, ...] = ("naive", "lp", "milp")
) -> ReportContent:
    """A localized scheme, certified all at once along one axis, over two, over three, and at one budget."""
    partition, links = make_clusters(clusters, nodes)
    far = [BernoulliFlip(0.1 + 0.3 * k / clusters, 0.6 + 0.3 * k / clusters) for k in range(clusters)]
    edges = [BernoulliFlip(0.1, 0.5), BernoulliFlip(0.2, 0.6)] if both else None
    votes, truth = make_votes(nodes, Smoothing(far, edges, partition), samples=5000)
    content = make_content(votes, truth, targets=np.arange(0, nodes, 2))

    def methods_over(**budgets: Any) -> dict[str, CollectiveCurve]:
        certify_all = content.certificate.collective
        return {m: certify_all(**budgets, method=m, truth=truth, time_limit=None) for m in methods}

    sweeps = ({"add": (0, 1, 2, 5)}, {"delete": range(6), "add": 1}, {"add": range(3), "delete": (0, 2, 4)}, {"add": 2})
    more = ({"add": (0, 1), "delete": (0, 1), "edge_delete": (0, 1)},) if both else ()
    swept = tuple(methods_over(**sweep) for sweep in (*sweeps, *more))
    return replace(content, collective=swept, links=links)


def norm_content(law: Callable[[float], Any] = Gaussian, clusters: int = 3, nodes: int = 60) -> ReportContent:
    """Continuous noise over clusters, certified at once against norms and against one of them."""
    partition, links = make_clusters(clusters, nodes)
    smoothing = Smoothing([law(0.25 * (1 + k)) for k in range(clusters)], partition=partition)
    votes, truth = make_votes(nodes, smoothing, clarity=200)
    content = make_content(votes, truth, targets=np.arange(0, nodes, 2))
    options = {"methods": ("naive", "lp", "milp"), "truth": truth}
    swept = tuple(content.certificate.compare_methods(shift=norms, **options) for norms in (NORMS, NORMS[2]))
    return replace(content, collective=swept, links=links)


def selected_norm_content() -> ReportContent:
    """Gaussian noise of selected rows: norms by limits of nodes, norms, and limits."""
    votes, truth = make_votes(smoothing=Hierarchical(0.9, Gaussian(0.5)), clarity=200)
    content = make_content(votes, truth)

    def methods_over(shift: Any, nodes: Any) -> Any:
        return content.certificate.compare_methods(shift=shift, nodes=nodes, methods=("naive",), truth=truth)

    return replace(
        content, collective=(methods_over(NORMS, (1, 2)), methods_over(NORMS, 2), methods_over(NORMS[1], (1, 2, 3)))
    )


def variants() -> dict[str, ReportContent]:
    """Every kind of report that differs in what there is to show."""
    votes, truth = make_votes()
    few, labels = make_votes(60)
    unknown = np.full_like(truth, -1)
    found = {
        "default": default_content(),
        "multi-class": make_content(votes, truth, method="multiclass"),
        "single claims": make_content(votes, truth, simultaneous=False),
        "no abstentions": make_content(*make_votes(clarity=1000)),
        "all abstain": make_content(*make_votes(clarity=1, samples=20), method="binary"),
        "all abstain, multi-class": make_content(*make_votes(clarity=1, samples=8), method="multiclass"),
        "unknown labels": make_content(votes, unknown),
        "some unknown labels": make_content(votes, np.where(np.arange(votes.nodes) % 3, truth, -1)),
        "everything correct": make_content(votes, votes.labels),
        "everything wrong": make_content(votes, (votes.labels + 1) % CLASSES),
        "only edges": make_content(*make_votes(smoothing=ONLY_EDGES)),
        "both channels": make_content(*make_votes(smoothing=BOTH), targets=[3, 4, 5]),
        "inexact sampler": make_content(*make_votes(total_variation=0.01)),
        "one target": make_content(few, labels, targets=[7]),
        "no timings": make_content(few, labels, timings={}, settings={}),
        "no grids": make_content(few, labels, grids=()),
        "warned": make_content(few, labels, warnings=("The training did not converge.", "Votes were resumed.")),
    }
    found |= {
        "localized": localized_content(),
        "localized, both channels": localized_content(both=True, methods=("naive", "lp")),
        "norms": norm_content(),
        "norms, uniform": norm_content(Uniform),
        "norms, selected rows": selected_norm_content(),
        "localized, no comparison": replace(localized_content(2, 40, methods=("lp",)), links=None),
    }
    certificate = found["both channels"].certificate
    whole = found["default"].certificate
    grids = {
        "one axis": whole.grid(delete=range(9), truth=found["default"].truth),
        "one budget": whole.grid(delete=[0], truth=found["default"].truth),
        "gaps": whole.grid(delete=(0, 1, 5, 20), truth=found["default"].truth),
        "long axis": whole.grid(delete=range(120), truth=found["default"].truth),
        "large map": whole.grid(range(24), range(24), truth=found["default"].truth),
        "thin map": whole.grid([0], range(24), truth=found["default"].truth),
        "besides": whole.grid(1, range(9), truth=found["default"].truth),
        "no accuracy": whole.grid(range(4), range(4)),
    }
    for name, grid in grids.items():
        found[name] = replace(found["default"], grids=(grid,))
    mixed = certificate.grid(add=range(3), edge_delete=range(3), delete=1, truth=found["both channels"].truth)
    found["mixed channels"] = replace(found["both channels"], grids=(mixed,))
    return found


class Page(HTMLParser):
    """What is in a page: its tags, visible text, and tables as {caption: rows of cells}."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._caption, self._cell = "", False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "caption":
            self._caption = ""
        if tag == "tr":
            self.tables.setdefault(self._caption, []).append([])
        self._cell = tag in ("th", "td")
        if self._cell:
            self.tables[self._caption][-1].append("")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.tags and self.tags[-1][0] == "caption" and data.strip():
            self._caption = data
        elif self._cell:
            self.tables[self._caption][-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("th", "td")
