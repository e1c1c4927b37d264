"""The experiments of the papers: `graphcert experiment run NAME`."""

from graphcert.experiments.experiment import Experiment
from graphcert.experiments.localized import EXPERIMENT as _LOCALIZED

EXPERIMENTS: dict[str, Experiment] = {one.name: one for one in (_LOCALIZED,)}
"""All experiments by name, in the order of RESULTS.md."""
