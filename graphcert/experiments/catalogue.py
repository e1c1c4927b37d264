"""All experiments; kept apart from the package, so that who takes a part of it does not import them all."""

from graphcert.experiments import (
    camvid,
    hierarchical,
    injection,
    input_dependent,
    localized,
    objectives,
    points,
    sparse,
    strictly_local,
)
from graphcert.experiments.experiment import Experiment

_MODULES = (
    sparse, localized, hierarchical, strictly_local, camvid, points, injection, objectives, input_dependent,
)  # fmt: skip
EXPERIMENTS: dict[str, Experiment] = {module.EXPERIMENT.name: module.EXPERIMENT for module in _MODULES}
"""All experiments by name, in the order of RESULTS.md."""
