"""Nodes that an adversary adds: how exposed every target is, and how many targets fall at most (theory, section 12)."""

from graphcert.collective.injection.exposure import Exposure, exposure
from graphcert.collective.injection.injection_certificate import AXES, METHODS, Changes, Costs, collective_injection

__all__ = ["AXES", "METHODS", "Changes", "Costs", "Exposure", "collective_injection", "exposure"]
