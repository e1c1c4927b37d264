"""The typed settings of a run and their TOML form."""

from graphcert.run.settings.graph_run import DatasetConfig, ModelConfig, RunConfig
from graphcert.run.settings.image_run import SegmentSettings
from graphcert.run.settings.noise import SmoothingConfig
from graphcert.run.settings.rates import RatesConfig
from graphcert.run.settings.stages import COLLECTIVE_METHODS, CertificateConfig, CollectiveConfig, SamplingConfig
from graphcert.run.settings.sweeps import SWEEP_AXES, budget_values, norm_values, sweep_values

__all__ = [
    "COLLECTIVE_METHODS",
    "SWEEP_AXES",
    "CertificateConfig",
    "CollectiveConfig",
    "DatasetConfig",
    "ModelConfig",
    "RatesConfig",
    "RunConfig",
    "SamplingConfig",
    "SegmentSettings",
    "SmoothingConfig",
    "budget_values",
    "norm_values",
    "sweep_values",
]
