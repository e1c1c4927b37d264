"""The typed settings of a run and their TOML form."""

from graphcert.config.noise import SmoothingConfig
from graphcert.config.rates import RatesConfig
from graphcert.config.run import DatasetConfig, ModelConfig, RunConfig
from graphcert.config.stages import COLLECTIVE_METHODS, CertificateConfig, CollectiveConfig, SamplingConfig
from graphcert.config.sweeps import SWEEP_AXES, budget_values, norm_values, sweep_values
from graphcert.tradeoff.base import norm_words

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
    "SmoothingConfig",
    "budget_values",
    "norm_values",
    "norm_words",
    "sweep_values",
]
