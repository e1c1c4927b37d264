"""What the certificate would say about made-up votes: its threshold, and how far even unanimous votes reach."""

from bisect import bisect_left
from dataclasses import replace

import numpy as np

from graphcert.certificates import BudgetGrid, Certificate, certify
from graphcert.noise import BernoulliFlip, Budget, Smoothing
from graphcert.report.content import ReportContent
from graphcert.report.measures import budget_at
from graphcert.votes import Votes

_ANY_NOISE = Smoothing(features=BernoulliFlip(0.5, 0.5))
"""Bounds of probabilities and claims about the unchanged graph do not depend on the noise."""


def abstention_threshold(content: ReportContent) -> float | None:
    """The smallest share of votes for the predicted label that is certified without any change; None if none is.

    The binary rule has one threshold for all nodes. Under the multi-class rule it depends on the votes for other
    classes, so the smallest share that occurs among certified targets is returned.
    """
    certificate, votes = content.certificate, content.votes
    if certificate.method != "binary":
        shares = votes.successes[~certificate.abstained] / votes.samples
        return float(shares.min()) if shares.size else None
    smallest = bisect_left(
        range(votes.samples + 1), True, key=lambda successes: bool(_claim(content, successes)._kept(Budget())[0])
    )
    return smallest / votes.samples if smallest <= votes.samples else None


def out_of_reach(content: ReportContent, grid: BudgetGrid) -> Budget | None:
    """The first budget of a curve at which not even unanimous votes certify any node; None if all are in reach.

    From there on nothing can be certified with this noise and this number of samples, whatever the model.
    """
    certificate, best = content.certificate, _claim(content, content.votes.samples)
    unanimous = replace(
        certificate,
        p_lower=np.full(certificate.nodes, best.p_lower[0]),
        p_other_upper=np.full(certificate.nodes, best.p_other_upper[0]),
    )
    budgets = [budget_at(grid, (value,)) for value in sorted(grid.values[0])]
    first = bisect_left(budgets, True, key=lambda budget: not bool(unanimous._kept(budget).any()))
    return budgets[first] if first < len(budgets) else None


def _claim(content: ReportContent, successes: int) -> Certificate:
    """The claim about one node whose label gets `successes` of the votes, as strict as each claim of the report."""
    certificate, votes = content.certificate, content.votes
    level = certificate.alpha / (certificate.claims if certificate.simultaneous else 1)
    pilot, counts = np.zeros((2, 1, votes.classes), dtype=np.int64)
    pilot[0, 0] = 1
    counts[0, :2] = successes, votes.samples - successes
    probe = Votes(pilot, counts, _ANY_NOISE, total_variation=votes.total_variation)
    return certify(probe, level, simultaneous=False, method=certificate.method)
