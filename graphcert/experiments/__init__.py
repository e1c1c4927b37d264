"""The experiments of the papers: `graphcert experiment run NAME`."""

from graphcert.experiments import (
    hierarchical,
    injection,
    input_dependent,
    localized,
    objectives,
    sparse,
    strictly_local,
)
from graphcert.experiments.experiment import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (sparse, localized, hierarchical, strictly_local, injection, objectives, input_dependent)
}
"""All experiments by name, in the order of RESULTS.md."""
