"""Shared set-up: its place puts the helper modules of this folder on the import path of every test."""

import torch
from hypothesis import settings

# A busy machine must not turn a slow example into a failure.
settings.register_profile("graphcert", deadline=None)
settings.load_profile("graphcert")

# Small graphs on one torch thread: teams of threads on a busy machine cost a hundred times what they save.
torch.set_num_threads(1)
