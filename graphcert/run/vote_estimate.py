"""From a few votes to the certified ratio that many votes will probably give: an estimate, and never part of a claim."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import gammaln

from graphcert.certificates import Certificate, certify
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import UnsupportedError
from graphcert.run.asked import Cell
from graphcert.votes import Votes
from graphcert.voting.trial import Trial

_CONCENTRATIONS = np.geomspace(1e-3, 3.0, 36)
_DRAWS = 4
"""Of the class probabilities of all nodes. A ratio is an average over the targets as well."""


class VoteEstimate:
    """Made-up votes that agree with a trial.

    The class probabilities of a node follow a symmetric Dirichlet law before the trial, and the concentration is the one
    under which the votes of all targets are most likely; so a node that was unanimous in 50 samples is trusted as far as
    the other nodes are. Nodes count as independent of each other.

    Args:
        trial: the votes.
        targets: (N,) the nodes that are certified.
        rule: the arguments of `certify` beside votes and targets.
        seed: of the draws.
    """

    def __init__(self, trial: Trial, targets: Mask, rule: Mapping[str, Any], seed: int) -> None:
        self.trial, self.targets, self.rule = trial, targets, rule
        self._rng = np.random.default_rng(seed)
        self._prior = fitted_concentration(trial.counts[targets])

    def claims(self, samples: int) -> Certificate:
        """Claims about the targets from so many unanimous votes."""
        certain = np.eye(self.trial.counts.shape[1])[self.trial.counts.argmax(axis=1)]
        return self._certified(certain, samples, 1)

    def ratios(self, samples: Sequence[int], pilot_samples: int, cells: Sequence[Cell]) -> Floats:
        """(S, B) expected certified ratio by rising number of samples and budget, each target alone."""
        found = np.zeros((len(samples), len(cells)))
        for _ in range(_DRAWS):
            shares = self._shares()
            for row, number in zip(found, samples, strict=True):
                certificate = self._certified(shares, number, pilot_samples)
                row += [_kept(certificate, cell) / certificate.claims for cell in cells]
        # More samples prove more on average; where the draws say otherwise, the smaller ratio stands for both.
        return np.asarray(np.minimum.accumulate(found[::-1])[::-1] / _DRAWS)

    def certificates(self, samples: int, pilot_samples: int) -> Iterator[Certificate]:
        """Certificates of so many votes, as they would probably be; what is asked of them is to be averaged."""
        for _ in range(_DRAWS):
            yield self._certified(self._shares(), samples, pilot_samples)

    def _shares(self) -> Floats:
        """(N, K) class probabilities of all nodes, drawn given their votes."""
        shares = self._rng.standard_gamma(self.trial.counts + self._prior)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def _certified(self, shares: Floats, samples: int, pilot_samples: int) -> Certificate:
        """The certificate of votes drawn under class probabilities (N, K)."""
        pilot, final = (self._rng.multinomial(number, shares) for number in (pilot_samples, samples))
        distance = self.trial.total_variation
        votes = Votes(pilot, final, self.trial.smoothing, total_variation=distance, independent=True)
        return certify(votes, targets=self.targets, **self.rule)


def fitted_concentration(counts: Integers) -> float:
    """The concentration of a symmetric Dirichlet law under which vote counts (M, K) are most likely, out of a grid.

    The likelihood of counts c with m votes is Γ(Ka)/Γ(Ka + m) · Π_k Γ(c_k + a)/Γ(a), up to a factor without a.
    """
    classes, samples = counts.shape[1], counts.sum(axis=1)

    def likelihood(a: float) -> float:
        every = gammaln(counts + a) - gammaln(a)
        return float((gammaln(classes * a) - gammaln(classes * a + samples) + every.sum(axis=1)).sum())

    return float(max(_CONCENTRATIONS, key=likelihood))


def _kept(certificate: Certificate, cell: Cell) -> int:
    """How many targets are robust; none where a budget is beyond exact arithmetic."""
    try:
        return int(certificate._kept(*cell).sum())
    except UnsupportedError:
        return 0
