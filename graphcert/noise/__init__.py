"""Descriptions of noise and of budgets: frozen values without behaviour."""

from graphcert.noise.budget import AXES, Budget
from graphcert.noise.laws import BernoulliFlip
from graphcert.noise.partition import Partition
from graphcert.noise.smoothing import CHANNELS, Smoothing
from graphcert.noise.views import Views

__all__ = ["AXES", "CHANNELS", "BernoulliFlip", "Budget", "Partition", "Smoothing", "Views"]
