"""certificate.json against the votes and the graph: what it says of single nodes (theory, sections 1 and 10)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphcert.errors import DataError, UnsupportedError
from graphcert.verification import stated
from graphcert.verification.budget_claims import check_grids, check_radii
from graphcert.verification.findings import Finding
from graphcert.verification.node_bounds import (
    CERTIFICATE,
    Levels,
    NodeBounds,
    bounds_at,
    looks_of,
    lower_is_proved,
    node_bounds,
    read_levels,
)
from graphcert.verification.run_files import PlainGraph, StoredVotes
from graphcert.verification.schemes import read_scheme

__all__ = ["NodeBounds", "check_certificate", "node_bounds"]


def check_certificate(certificate: dict[str, Any], votes: StoredVotes, graph: PlainGraph) -> Iterator[Finding]:
    """Everything that a certificate says of single nodes, against bounds that are computed anew and proved.

    What is claimed has to be proved by the slow path; what it proves besides is not missed. A law of noise that is not known
    here leaves its grids and radii "believed", for the caller to compute them again by the package's own code.
    """
    yield from check_votes(votes)
    try:
        if votes.rows is not None:
            raise DataError("the votes are about inputs with rows of their own, and not about the nodes of a graph")
        levels = read_levels(certificate, len(votes.counts))
        bounds = bounds_at(levels, votes)
        yield from _check_scope(certificate, votes, graph, levels)
        yield from _check_nodes(certificate, votes, graph, levels, bounds)
        views = read_scheme(votes.scheme, len(votes.counts))
        yield from check_grids(certificate, bounds, views, graph)
        yield from check_radii(certificate, bounds, views)
    except DataError as error:
        yield Finding("contradiction", CERTIFICATE, str(error))
    except UnsupportedError as error:
        yield Finding("believed", CERTIFICATE, str(error))


def check_votes(votes: StoredVotes) -> Iterator[Finding]:
    """Whether votes can be what they are said to be: as many for every node, the final ones drawn apart from the pilot.

    With looks a node has as many final votes as at one of them.
    """
    pilots, finals = votes.pilot_counts.sum(axis=1), votes.counts.sum(axis=1)
    wrong = [
        f"the nodes have {totals.min()} to {totals.max()} {name} votes, not all the same number"
        for name, totals in (("pilot", pilots), *([("final", finals)] if votes.looks is None else []))
        if totals.min() != totals.max() or totals.min() < 1
    ]
    if not np.isin(finals, [end for end, _ in looks_of(votes)]).all():
        wrong.append("the final votes of a node are not as many as at a look")
    if not votes.independent and np.array_equal(votes.pilot_counts, votes.counts):
        wrong.append(
            "pilot and final votes agree in every number, so that labels were chosen by the votes that bound them"
        )
    if wrong:
        yield Finding("contradiction", "votes", "; ".join(wrong))
        return
    words = f"each of {len(finals):,} nodes has {pilots[0]:,} pilot votes and"
    if votes.looks is None:
        yield Finding("proved", "votes", f"{words} {finals[0]:,} final votes")
        return
    yield Finding(
        "proved", "votes",
        f"{words} the final votes of one of {len(votes.looks)} looks, after {votes.looks[0][0]:,} to {votes.samples:,} "
        f"samples, whose shares of its level sum to at most 1",
    )  # fmt: skip


def _check_scope(
    certificate: dict[str, Any], votes: StoredVotes, graph: PlainGraph, levels: Levels
) -> Iterator[Finding]:
    """Which votes, how many, about which targets."""
    wanted = {
        "claims": int(levels.targets.sum()), "samples": votes.samples,
        "pilot_samples": int(votes.pilot_counts[0].sum()), "votes": votes.digest,
    }  # fmt: skip
    wrong = [
        f"{name} is {certificate.get(name)!s:.64} and should be {value}"
        for name, value in wanted.items()
        if certificate.get(name) != value or isinstance(certificate.get(name), bool)
    ]
    if not np.array_equal(levels.targets, graph.targets):
        differing = np.flatnonzero(levels.targets != graph.targets)
        wrong.append(
            f"its targets are not those of the graph; {differing.size:,} nodes differ, the first is {differing[0]}"
        )
    if wrong:
        yield Finding("contradiction", CERTIFICATE, "; ".join(wrong))
    else:
        words = f"it is about the {wanted['claims']:,} targets of the graph and {wanted['samples']:,} samples of these votes"
        yield Finding("proved", f"{CERTIFICATE}, votes", words)


def _check_nodes(
    certificate: dict[str, Any], votes: StoredVotes, graph: PlainGraph, levels: Levels, bounds: NodeBounds
) -> Iterator[Finding]:
    """Labels, lower bounds, who abstains, and the accuracy of the smoothed classifier."""
    (nodes, classes), named = votes.counts.shape, certificate["nodes"]
    labels = stated.whole_numbers(stated.member(named, "label", CERTIFICATE), "nodes.label", (nodes,), classes - 1)
    p_lower = stated.numbers(stated.member(named, "p_lower", CERTIFICATE), "nodes.p_lower", (nodes,))
    abstained = stated.mask(stated.member(named, "abstained", CERTIFICATE), "nodes.abstained", (nodes,))
    if votes.looks is not None:
        stops = stated.member(named, "stopped_at", CERTIFICATE)
        yield _about_nodes(
            stated.whole_numbers(stops, "nodes.stopped_at", (nodes,), votes.samples) != votes.counts.sum(axis=1),
            "every node stopped at the look that its votes say",
            "{} nodes stopped at another look than their votes say, the first is node {}",
        )
    yield _about_nodes(
        labels != bounds.labels,
        f"the labels of {nodes:,} nodes are the classes with most pilot votes",
        "{} nodes have another label than the class with most pilot votes, the first is node {}",
    )
    divided = "" if votes.looks is None else " times the share of its look"
    yield _about_nodes(
        _too_large(p_lower, votes, levels, bounds),
        f"p_lower of {int(levels.targets.sum()):,} targets: each is at most the exact Clopper–Pearson bound at level "
        f"{float(levels.label):.4g}{divided}, less a total variation of {votes.total_variation:.3g}",
        "p_lower of {} nodes is above the exact Clopper–Pearson bound at level "
        f"{float(levels.label):.4g}{divided}, less the total variation; the first is node {{}}",
    )
    decided = bounds.targets & ((bounds.p_lower > 0.5) | ((bounds.p_lower > bounds.p_other) & (levels.other > 0)))
    yield _about_nodes(
        ~abstained & ~decided,
        f"each of {int((~abstained).sum()):,} nodes with an answer is proved to have it",
        "{} nodes have an answer that is not proved, the first is node {}",
    )
    count, correct = int((abstained & levels.targets).sum()), int((bounds.labels == graph.truth)[levels.targets].sum())
    said, accuracy = certificate.get("abstained"), certificate.get("smoothed_accuracy")
    if said != count or accuracy != correct / int(levels.targets.sum()):
        words = (
            f"it counts {said!s:.40} abstaining targets and a smoothed accuracy of {accuracy!s:.40}; its nodes give "
        )
        yield Finding("contradiction", CERTIFICATE, f"{words}{count} and {correct / int(levels.targets.sum())}")
    else:
        yield Finding("proved", CERTIFICATE, f"{count:,} targets abstain and {correct:,} labels of targets are correct")


def _about_nodes(wrong: Any, proved: str, contradiction: str) -> Finding:
    """Contradiction with the number of wrong nodes and the first of them, or what is proved if there is none."""
    if not (places := np.flatnonzero(wrong)).size:
        return Finding("proved", CERTIFICATE, proved)
    return Finding("contradiction", CERTIFICATE, contradiction.format(f"{places.size:,}", places[0]))


def _too_large(p_lower: Any, votes: StoredVotes, levels: Levels, bounds: NodeBounds) -> Any:
    """(N,) stated lower bounds that are not proved; those above the own bound get a tail of their own."""
    wrong = np.where(levels.targets, p_lower > bounds.p_lower, p_lower != 0)
    known: dict[tuple[float, int, int], bool] = {}
    for node in np.flatnonzero(wrong & levels.targets).tolist():
        count, samples = int(votes.counts[node, bounds.labels[node]]), int(votes.counts[node].sum())
        case = float(p_lower[node]), count, samples
        if case not in known:
            known[case] = lower_is_proved(*case, votes, levels.label)
        wrong[node] = not known[case]
    return wrong
