"""A law of noise that is defined here, and goes from training to the report without a change of the package."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray
from torch_geometric.data import Data

import graphcert as gc
from graphcert.noise import LAWS, Setting
from graphcert.noise.hierarchical import smoothing_from_dict
from graphcert.tradeoff.base import probabilities


@dataclass(frozen=True)
class Exponential(gc.RealLaw):
    """Two-sided exponential noise: density e^(−|z|/b)/(2b)."""

    width: float
    lattice: float | None = None
    name = "two-sided exponential"
    norm = "ℓ1"
    symbols = (("width", "b"),)
    title = "two-sided exponential noise of width {}"
    setting = Setting("exponential", float, "Two-sided exponential feature noise of this width.", "WIDTH", "features b")

    def __post_init__(self) -> None:
        self._check("width")


@dataclass(frozen=True)
class PureDP(gc.TradeOff):
    """The likelihood ratio of all outcomes lies in [e^(−ε), e^ε], ε = ‖shift‖₁/b (Teng et al. 2020)."""

    epsilon: float

    def lower(self, p: ArrayLike) -> NDArray[np.float64]:
        q = probabilities(p)
        outside = (1 - q) * np.exp(self.epsilon) * (1 + 1e-12)
        return np.maximum(np.maximum(q * np.exp(-self.epsilon) * (1 - 1e-12), 1 - outside - 1e-15), 0.0)


def draw(generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    return generator.laplace(size=shape)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The law, in the registry while a test runs."""
    before = list(LAWS)
    gc.register_law(Exponential, trade_off=lambda law, shift: PureDP(shift / law.width), draw=draw)
    yield
    LAWS[:] = before


def test_the_trade_off_and_its_radius() -> None:
    law, p = Exponential(0.5), np.array([0.3, 0.5, 0.75, 0.9, 0.999])
    for shift in (0.1, 0.4):
        found = gc.trade_off(law, shift=shift)
        assert np.allclose(found.lower(p), np.maximum(p * np.exp(-2 * shift), 1 - np.exp(2 * shift) * (1 - p)))
        assert np.allclose(found.upper(p), 1 - found.lower(1 - p))
        assert found.critical == pytest.approx(1 - np.exp(-2 * shift) / 2)
    votes = gc.Votes([[10, 0]] * 2, [[9990, 10], [9000, 1000]], gc.Smoothing(law))
    certificate = gc.certify(votes)
    bound = -0.5 * np.log(2 * (1 - certificate.p_lower))
    assert (certificate.radius() <= bound).all()
    np.testing.assert_allclose(certificate.radius(), bound, atol=1e-9)
    assert "two-sided exponential noise of width 0.5" in certificate.guarantee()
    assert "ℓ1 norm" in certificate.guarantee()


def test_selected_rows_levels_and_collectives() -> None:
    partition = gc.Partition(np.arange(6) % 2, [[0, 1], [1, 0]])
    counts = np.stack([np.full(6, 990), np.full(6, 10)], axis=1)
    local = gc.certify(
        gc.Votes(counts // 10, counts, gc.Smoothing([Exponential(0.5), Exponential(1.0)], None, partition))
    )
    near = gc.certify(gc.Votes(counts // 10, counts, gc.Smoothing(Exponential(0.5))))
    assert (local.radius() == near.radius()).all()
    curve = local.collective(shift=[0.0, 0.5, 1.0, 2.0], method="milp")
    naive = local.collective(shift=[0.0, 0.5, 1.0, 2.0], method="naive")
    assert (curve.certified >= naive.certified).all()
    assert (curve.certified > naive.certified).any()
    assert local.robust_at(shift=[0.2, 0.4]).all()
    chosen = gc.certify(gc.Votes(counts // 10, counts, gc.Hierarchical(0.9, Exponential(0.5))))
    assert (chosen.radius(1) > 0).all()
    assert (chosen.radius(1) < near.radius()).all()
    assert chosen.robust(shift=0.1, nodes=1).all()


def test_descriptions_come_back() -> None:
    scheme = gc.Hierarchical(0.5, Exponential(0.5, 0.25))
    assert smoothing_from_dict(scheme.to_dict()) == scheme
    assert scheme.to_dict()["lower"]["features"] == {"law": "two-sided exponential", "width": 0.5, "lattice": 0.25}


def test_what_is_no_law_or_taken() -> None:
    with pytest.raises(gc.errors.InputError, match="there is a law named"):
        gc.register_law(Exponential, trade_off=lambda law, shift: PureDP(shift), draw=draw)
    with pytest.raises(gc.errors.InputError, match="subclass of RealLaw"):
        gc.register_law(int, trade_off=lambda law, shift: PureDP(shift), draw=draw)  # type: ignore[type-var, arg-type]
    child = type("Child", (Exponential,), {})
    with pytest.raises(gc.errors.InputError, match="subclass of Exponential"):
        gc.Smoothing(child(0.5))
    data = Data(x=torch.zeros(2, 3), edge_index=torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(gc.errors.UnsupportedError, match="no sampler of Exponential noise on a lattice is known"):
        gc.sample_votes(torch.nn.Module(), data, gc.Smoothing(Exponential(0.5, 0.25)), 10, 10)


def run(*arguments: str) -> int:
    """One command in this process, as `graphcert …`; its exit code."""
    from graphcert.cli import main

    before, sys.argv = sys.argv, ["graphcert", *arguments]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def test_from_the_command_line_to_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "run")
    noise = ("--dataset", "digits", "--exponential", "0.2", "--training-option", "epochs=20", "--out", folder)
    assert run("train", *noise) == 0
    assert "exponential = 0.2" in (tmp_path / "run" / "config.toml").read_text()
    assert run("sample", folder, "--samples", "200", "--pilot-samples", "50") == 0
    assert run("certify", folder) == 0
    assert run("collective", folder, "--shift", "0:0.2:0.1", "--method", "naive") == 0
    page = (tmp_path / "run" / "report.html").read_text()
    for words in ("features b = 0.2", "features b", "ℓ1 norm", "two-sided exponential noise of width 0.2"):
        assert words in page
    assert (
        run("train", "--dataset", "digits", "--exponential", "0.2", "--sigma", "1", "--out", str(tmp_path / "two")) == 2
    )
    assert "--exponential" in capsys.readouterr().err
