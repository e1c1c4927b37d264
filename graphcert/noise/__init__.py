"""Descriptions of noise and of budgets: frozen values without behaviour."""

from graphcert.noise.budget import AXES, Budget
from graphcert.noise.laws import BernoulliFlip
from graphcert.noise.smoothing import Smoothing

__all__ = ["AXES", "BernoulliFlip", "Budget", "Smoothing"]
