"""The tight collective certificate: exact trade-offs, and the worst allocation for all groups together."""

from graphcert.collective.exact.exact_certificate import collective_tight
from graphcert.collective.exact.exact_problem import TightProblem, tight_problem

__all__ = ["TightProblem", "collective_tight", "tight_problem"]
