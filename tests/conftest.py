"""Shared set-up: its place puts the helper modules of this folder on the import path of every test."""

from collections.abc import Iterator

import pytest
import seeds
import torch
from hypothesis import HealthCheck, settings

# `make test` gives the same verdict every time: the examples follow from the test alone. `make test-slow` looks for new
# ones and prints how to repeat what it finds. A busy machine must not turn a slow example into a failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("graphcert", patient, derandomize=True)
settings.register_profile("free", patient, print_blob=True)
settings.load_profile("graphcert")

# Small graphs on one torch thread: teams of threads on a busy machine cost a hundred times what they save.
torch.set_num_threads(1)


def pytest_collectstart(collector: pytest.Collector) -> None:
    seeds.begin(collector.name)  # for what a module draws while it is imported


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    seeds.begin(f"{item.path.name}::{item.name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        report.sections.append(("seed", f"repeat with GRAPHCERT_TEST_SEED={seeds.BASE}"))
    return report
