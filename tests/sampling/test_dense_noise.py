"""Continuous noise as it is drawn: uniform noise, noise on a lattice, all views from one draw.

False-alarm rate: 1e-6 for every statistical test (see flip_law), for whatever seed. The Gaussian law without a lattice has
its own file, test_gaussian_rows.
"""

import mpmath
import numpy as np
import pytest
from flip_law import FALSE_ALARM, assert_independent_bits, tails
from sampler_cases import csr
from scipy import sparse
from scipy.stats import binom, norm
from seeds import fresh_rng

from graphcert.core.compiled import kernel
from graphcert.errors import DataError, InputError
from graphcert.noise import Ablation, BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing, Uniform
from graphcert.sampling.csr import CSR
from graphcert.sampling.dense import whole_steps
from graphcert.sampling.philox import MAIN, PILOT, fill_blocks
from graphcert.sampling.sampler import Sampler
from graphcert.sampling.unit_noise import NORMAL, UNIFORM, draw_units, unit_noise

NODES = 6
STEP = 1 / 255
TWO = Partition(np.arange(NODES) % 2, [[0, 1], [1, 0]])
X = (np.random.default_rng(5).integers(0, 256, (NODES, 7)) * STEP).astype(np.float32)
LAWS = {
    "gaussian": Smoothing((Gaussian(0.1), Gaussian(0.5)), None, TWO),
    "gaussian on a lattice": Smoothing((Gaussian(0.1, STEP), Gaussian(0.5, STEP)), None, TWO),
    "uniform": Smoothing((Uniform(0.1), Uniform(0.5)), None, TWO),
    "uniform on a lattice": Smoothing((Uniform(0.1, STEP), Uniform(0.5, STEP)), None, TWO),
    "selected rows": Hierarchical((0.4, 0.7), Smoothing((Gaussian(0.1, STEP), Gaussian(0.5, STEP)), None, TWO)),
    "selected uniform rows": Hierarchical((0.4, 0.7), Smoothing((Uniform(0.1), Uniform(0.5)), None, TWO)),
}


def sampler(scheme, x=X, seed=1):
    nodes = len(x)
    return Sampler(CSR.of(sparse.csr_array(x)), x.shape[1], csr(np.zeros((nodes, nodes))), scheme, seed)


def shown(one, sample, purpose=MAIN, view=0):
    out = np.zeros((one.nodes, one.columns), np.float32)
    one.fill_features(purpose, sample, one.workspace(), view, out)
    return out


def whole_noise(law, samples, x=X, purpose=MAIN):
    """(S, N·D) noise in whole steps of its lattice."""
    one = sampler(Smoothing(law), x)
    clean = np.rint(x.astype(np.float64) / law.lattice)
    seen = np.array([shown(one, s, purpose) for s in range(samples)], np.float64) / law.lattice
    assert np.abs(seen - np.rint(seen)).max() < 1e-3
    return (np.rint(seen) - clean).reshape(samples, -1)


def law_of_steps(law, values):
    """P[round(ε/h) = k] for whole k."""
    if isinstance(law, Gaussian):
        edges = norm.cdf((np.append(values, values[-1] + 1) - 0.5) * law.lattice / law.sigma)
    else:
        edges = np.clip(((np.append(values, values[-1] + 1) - 0.5) * law.lattice / law.half_width + 1) / 2, 0, 1)
    return np.diff(edges)


@pytest.mark.parametrize(
    "law", [Gaussian(0.3, 0.25), Gaussian(0.02, STEP), Uniform(0.3, 0.25), Uniform(0.02, STEP)], ids=str
)
def test_rounded_noise_follows_its_exact_law(law):
    x = np.zeros_like(X)
    found, values = whole_noise(law, 3000, x), np.arange(-60, 61)
    assert (np.abs(found) <= 60).all()
    rates = law_of_steps(law, values)
    counts = np.array([(found == k).sum() for k in values])
    small = tails(counts, found.size, rates)
    assert small.min() > FALSE_ALARM / (2 * len(small))
    for k in (0, 1, 2):
        assert_independent_bits(found >= k, np.full(found.shape[1], rates[values >= k].sum()))


def test_rounding_down_would_be_caught():
    """Truncated noise is another law: shifted by half a step."""
    law, values = Gaussian(0.3, 0.25), np.arange(-6, 7)
    plain = np.array([shown(sampler(Smoothing(Gaussian(0.3)), np.zeros_like(X)), s) for s in range(3000)])
    counts = np.array([(np.floor(plain / law.lattice) == k).sum() for k in values])
    assert tails(counts, plain.size, law_of_steps(law, values)).min() < FALSE_ALARM / 1000


@pytest.mark.parametrize("width", [1, 2, 31])
def test_uniform_noise_is_uniform_and_independent(width):
    x = np.zeros((NODES, width), np.float32)
    one = sampler(Smoothing(Uniform(0.5)), x)
    found = np.array([shown(one, s).ravel() for s in range(3000)])
    assert np.abs(found).max() <= 0.5
    for quantile in (-0.45, -0.1, 0.0, 0.3, 0.49):
        assert_independent_bits(found > quantile, np.full(found.shape[1], 0.5 - quantile))
    pilot = np.array([shown(one, s, PILOT).ravel() for s in range(3000)])
    both = np.concatenate([found, pilot], axis=1)[:, : 2 * NODES]
    assert_independent_bits(both > 0.1, np.full(both.shape[1], 0.4))


@pytest.mark.parametrize("name", LAWS)
def test_one_draw_serves_all_views(name):
    one = sampler(LAWS[name])
    views = one.views.count
    assert views == 2
    for sample in range(3):
        together = np.zeros((views, NODES, one.columns), np.float32)
        one.fill_features_of_all_views(MAIN, sample, one.workspace(), together)
        for view in range(views):
            assert (together[view] == shown(one, sample, view=view)).all()


def test_other_noises_of_all_views_are_those_of_each():
    bits = (X > 0.5).astype(np.float32)
    for law in (BernoulliFlip(0.1, 0.2), Ablation()):
        one = sampler(Hierarchical((0.4, 0.7), Smoothing((law, law), None, TWO)), bits)
        together = np.zeros((2, NODES, one.columns), np.float32)
        one.fill_features_of_all_views(MAIN, 0, one.workspace(), together)
        assert all((together[view] == shown(one, 0, view=view)).all() for view in range(2))


@pytest.mark.parametrize("name", LAWS)
def test_the_first_layer_is_the_product_of_what_is_shown(name):
    one = sampler(LAWS[name])
    weight = np.random.default_rng(3).normal(size=(one.columns, 16)).astype(np.float32)
    clean = (X.astype(np.float64) @ weight[: X.shape[1]].astype(np.float64)).astype(np.float32)
    out = np.full((2, NODES, 16), np.nan, np.float32)
    one.first_layer(MAIN, 5, weight, out, one.workspace(), clean)
    for view in range(2):
        expected = shown(one, 5, view=view).astype(np.float64) @ weight
        np.testing.assert_allclose(out[view], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("law", [Gaussian(0.1, STEP), Uniform(0.1, STEP)], ids=str)
def test_on_a_lattice_clean_features_move_noisy_ones_by_whole_steps_and_nothing_else(law):
    """What the classifier sees is a function of the whole number x + noise: no trace of x is left in its last digits."""
    other = ((np.rint(X / STEP) + np.random.default_rng(6).integers(-3, 4, X.shape)) * STEP).astype(np.float32)
    one, two = sampler(Smoothing(law), np.abs(X)), sampler(Smoothing(law), np.abs(other))
    seen = {}
    for sample in range(300):
        for source in (one, two):
            row = shown(source, sample)
            for value in row.ravel():
                assert seen.setdefault(int(np.rint(value / STEP)), value) == value
    assert len(seen) > 100
    plain = np.concatenate([shown(sampler(Smoothing(Gaussian(0.1)), x), 0).ravel() for x in (X, other)])
    assert (plain != (np.rint(plain / STEP) * STEP).astype(np.float32)).mean() > 0.9, "noise off the lattice"


def test_features_off_the_lattice_are_refused():
    whole = CSR.of(sparse.csr_array(X))
    assert (np.rint(X / STEP)[X != 0] == whole_steps(whole, STEP).values).all()
    for x in (X + np.float32(1e-4), X * np.float32(1.0001), np.full_like(X, 2.0**21 * STEP)):
        with pytest.raises(DataError, match="whole multiples of its step"):
            sampler(Smoothing(Gaussian(0.1, STEP)), x)
    with pytest.raises(InputError, match="too wide for a lattice"):
        sampler(Smoothing(Gaussian(1e6, 0.5)), np.zeros_like(X))
    bits = (X > 0.5).astype(np.float32)
    assert set(np.unique(shown(sampler(Smoothing(Uniform(1.0, 1.0)), bits), 0))) <= {-1.0, 0.0, 1.0, 2.0}


def test_the_stated_error_grows_with_numbers_and_scale():
    assert sampler(Smoothing(Gaussian(0.5))).total_variation == 0
    small, large = (sampler(Smoothing(Gaussian(s, STEP))).total_variation for s in (0.1, 1.0))
    assert 0 < small < large < 1e-9
    assert small == pytest.approx(X.size * 2.0**-46 * (25.5 + 1))
    assert sampler(LAWS["gaussian on a lattice"]).total_variation == pytest.approx(X.size * 2.0**-46 * (127.5 + 1))
    assert sampler(Smoothing(Uniform(1.0, STEP))).total_variation == pytest.approx(X.size * 2.0**-50 * 256)
    hierarchical = sampler(Hierarchical(1e-30, Gaussian(0.1, STEP))).total_variation
    assert hierarchical == pytest.approx(small)


@kernel
def units_and_words(key, row, branch, given, units, words):
    draw_units(key, 7, 3, row, branch, given, words, units)
    fill_blocks(key, 7, 3, row, 1, 0, words)


def test_the_arithmetic_is_as_accurate_as_the_stated_error_assumes():
    """Against 60 digits of the very same random bits: Box and Muller's numbers, and uniform ones."""
    mpmath.mp.dps = 60
    u, size = mpmath.mpf(2) ** -53, 16
    for row in range(60):
        for uniform in (False, True):
            units, words = np.empty(2 * size), np.empty((1, 4 * size), np.uint32)
            units_and_words(np.uint64(11), row, UNIFORM if uniform else NORMAL, np.empty((0, 0)), units, words)
            halves = words.reshape(-1, 2).astype(object)
            bits = [int(a) * 2**32 + int(b) for a, b in halves]
            for k in range(size):
                first, second = bits[2 * k], bits[2 * k + 1]
                if uniform:
                    for word, unit in ((first, units[2 * k]), (second, units[2 * k + 1])):
                        signed = word - 2**64 if word >= 2**63 else word
                        exact = mpmath.mpf(signed) / 2**63
                        assert abs(mpmath.mpf(float(unit)) - exact) <= u * abs(exact)
                    continue
                exact_u = mpmath.mpf(first + 1) / 2**64
                angle = 2 * mpmath.pi * mpmath.mpf(second) / 2**64
                radius = mpmath.sqrt(-2 * mpmath.log(exact_u))
                for unit, side in ((units[2 * k], mpmath.cos(angle)), (units[2 * k + 1], mpmath.sin(angle))):
                    allowed = radius * 28 * u + radius * abs(side) * mpmath.mpf(8.2) * u + mpmath.mpf(2.01) * u / radius
                    assert abs(mpmath.mpf(float(unit)) - radius * side) <= allowed


def test_the_stated_error_is_what_errors_do():
    """A relative error, enlarged from 8.2u to 1e-3, changes the rounding no more often than the enlarged bound says."""
    scale = 25.5
    z = fresh_rng().normal(size=200_000)
    changed = (np.rint(z * scale) != np.rint(z * scale * (1 + 1e-3))).sum()
    share = unit_noise.of(Gaussian(1.0)).rounded_error(scale) * (1e-3 / (8.2 * 2.0**-53))
    assert binom.sf(changed - 1, z.size, min(share, 1.0)) > FALSE_ALARM
    assert changed > 0
