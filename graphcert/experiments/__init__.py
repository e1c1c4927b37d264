"""The experiments of the papers: `graphcert experiment run NAME`."""

from graphcert.experiments.camvid import EXPERIMENT as _CAMVID
from graphcert.experiments.experiment import Experiment
from graphcert.experiments.hierarchical import EXPERIMENT as _HIERARCHICAL
from graphcert.experiments.injection import EXPERIMENT as _INJECTION
from graphcert.experiments.input_dependent import EXPERIMENT as _INPUT_DEPENDENT
from graphcert.experiments.localized import EXPERIMENT as _LOCALIZED
from graphcert.experiments.points import EXPERIMENT as _POINTS

EXPERIMENTS: dict[str, Experiment] = {
    one.name: one
    for one in (
        _LOCALIZED,
        _HIERARCHICAL,
        _CAMVID,
        _POINTS,
        _INJECTION,
        _INPUT_DEPENDENT,
    )
}
"""All experiments by name, in the order of RESULTS.md."""
