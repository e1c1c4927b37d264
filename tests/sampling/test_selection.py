"""Selection of rows: its law, its addresses, and what a sample looks like where a row is and is not selected.

False-alarm rate: 1e-6 for every statistical test (see flip_law), for whatever seed.
"""

import numpy as np
import pytest
from flip_law import FALSE_ALARM, assert_independent_bits, independent_bits_tails
from philox_reference import uniform128
from sampler_cases import csr, edge_set, rows_of
from seeds import fresh_rng, fresh_seed

from graphcert.noise import Ablation, BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing, Uniform
from graphcert.sampling.philox import MAIN, PILOT, SELECT, TRAIN
from graphcert.sampling.sampler import Sampler
from graphcert.sampling.simd.row_sums import LANES

NODES, WIDTH = 70, 9
FLIPS, EDGES = BernoulliFlip(0.1, 0.6), BernoulliFlip(0.02, 0.4)
PARTITION = Partition.of_affinity(np.arange(NODES) % 3, [[0, 2, 1], [5, 0, 4], [1, 3, 0]])
LEVELS = [BernoulliFlip(0.02, 0.3), BernoulliFlip(0.1, 0.5), BernoulliFlip(0.3, 0.9)]
LOWER = {
    "flips": Smoothing(FLIPS),
    "flips and edges": Smoothing(FLIPS, EDGES),
    "ablation": Smoothing(Ablation()),
    "Gaussian": Smoothing(Gaussian(0.7), EDGES),
    "localized flips": Smoothing(LEVELS, partition=PARTITION),
    "localized ablation": Smoothing((Ablation(),) * 3, LEVELS, PARTITION),
    "Gaussian on a lattice": Smoothing(Gaussian(0.7, 0.5)),
    "localized uniform": Smoothing((Uniform(0.1), Uniform(0.5), Uniform(2.0)), partition=PARTITION),
    "localized Gaussian": Smoothing((Gaussian(0.1), Gaussian(0.5), Gaussian(2.0)), partition=PARTITION),
}


def clean_graph(nodes=NODES, width=WIDTH):
    """An empty row, a full one, and random ones."""
    generator = np.random.default_rng(8)
    x = generator.random((nodes, width)) < 0.3
    x[0], x[1] = True, False
    return x, np.triu(generator.random((nodes, nodes)) < 0.1, 1)


X, UPPER = clean_graph()


def sampler_of(scheme, seed=3, x=X, upper=UPPER):
    return Sampler(csr(x), x.shape[1], csr(upper), scheme, seed)


def selects_of(lower):
    """A probability for every level."""
    return [0.5, 0.8, 0.9][: len(lower.levels("features"))]


def hierarchical(name):
    return Hierarchical(selects_of(LOWER[name]), LOWER[name])


def dense(one, purpose, sample, view=0, work=None):
    out = np.zeros((one.nodes, one.columns), np.float32)
    one.fill_features(purpose, sample, work or one.workspace(), view, out)
    return out


def noisy_ones(one, sample, view=0):
    """(N, D) noisy bits and (N,) marks of one view."""
    found = dense(one, MAIN, sample, view)
    assert set(np.unique(found)) <= {0, 1}
    return found[:, :-1] == 1, found[:, -1] == 1


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
@pytest.mark.parametrize("select", [1e-3, 0.5, 0.81, 1.0])
def test_marks_are_those_of_the_reference(seed, select):
    one = sampler_of(Hierarchical(select, FLIPS), seed)
    digits = min(int(select * 2**53) * 2**75, 2**128 - 1)
    for purpose, sample in [(PILOT, 0), (MAIN, 777)]:
        stream = purpose * 16 + SELECT
        expected = [uniform128(seed, stream, sample, i // 64, 0, i % 64) < digits for i in range(NODES)]
        assert (dense(one, purpose, sample)[:, -1] == expected).all()


def completed_flips(scheme, rates_of_view, samples, seed):
    """Bits that are independent if the law is right: marks, flips of selected rows, and own bits for the other rows."""
    nodes, width = 12, 5
    x, upper = X[:nodes, :width], UPPER[:nodes, :nodes]
    one, own = sampler_of(scheme, seed, x, upper), fresh_rng()
    for view, (select, law) in enumerate(rates_of_view):
        rates = np.where(x, law.delete, law.add)
        flips = np.empty((samples, nodes + x.size), bool)
        for sample in range(samples):
            bits, marks = noisy_ones(one, sample, view)
            assert (bits[~marks] == x[~marks]).all()
            flips[sample, :nodes] = marks
            flips[sample, nodes:] = np.where(marks[:, None], bits != x, own.random(x.shape) < rates).ravel()
        yield flips, np.concatenate([np.full(nodes, select), rates.ravel()])


def test_rows_are_selected_on_their_own_and_selected_rows_are_flipped_at_their_rates():
    for select, law in [(0.81, FLIPS), (0.3, BernoulliFlip(0.5, 0.2))]:
        for flips, rates in completed_flips(Hierarchical(select, law), [(select, law)], 4000, 1):
            assert_independent_bits(flips, rates)


@pytest.mark.slow
def test_the_law_of_selection_with_a_fresh_seed_and_many_samples():
    seed = fresh_seed()
    for flips, rates in completed_flips(Hierarchical(0.81, FLIPS), [(0.81, FLIPS)], 60_000, seed):
        assert_independent_bits(flips, rates)


def test_a_selection_shared_by_two_nodes_would_be_caught():
    ((flips, rates),) = completed_flips(Hierarchical(0.81, FLIPS), [(0.81, FLIPS)], 4000, 1)
    flips[:, 3] = flips[:, 7]
    found = independent_bits_tails(flips, rates)
    assert found.min() <= FALSE_ALARM / (2 * len(found))


def test_every_view_selects_and_flips_at_the_rates_of_its_blocks():
    """Localized probabilities and rates; false-alarm rate 1e-6 per view."""
    nodes, width, samples = 12, 5, 4000
    x, upper = X[:nodes, :width], UPPER[:nodes, :nodes]
    partition = Partition(PARTITION.labels[:nodes], PARTITION.rank)
    selects = [0.4, 0.7, 0.95]
    one = sampler_of(Hierarchical(selects, Smoothing(LEVELS, partition=partition)), 5, x, upper)
    own = fresh_rng()
    for group in range(3):
        rank = partition.rank[group][partition.labels]
        view = int(one.views.of_node[partition.labels == group][0])
        add, delete = (np.array([getattr(LEVELS[r], name) for r in rank])[:, None] for name in ("add", "delete"))
        rates = np.where(x, delete, add)
        flips = np.empty((samples, nodes + x.size), bool)
        for sample in range(samples):
            bits, marks = noisy_ones(one, sample, view)
            assert (bits[~marks] == x[~marks]).all()
            flips[sample, :nodes] = marks
            flips[sample, nodes:] = np.where(marks[:, None], bits != x, own.random(x.shape) < rates).ravel()
        assert_independent_bits(flips, np.concatenate([np.array(selects)[rank], rates.ravel()]))


def test_the_nodes_selected_at_a_smaller_probability_are_among_those_at_a_larger_one():
    selects = [0.3, 0.6, 1.0]
    one = sampler_of(Hierarchical(selects, Smoothing(LEVELS, partition=PARTITION)))
    select = np.array(selects)[PARTITION.rank[:, PARTITION.labels]]  # (C, N)
    order = np.argsort(select, axis=0)
    strictly = 0
    for sample in range(20):
        marks = one.selection.rows(one.key, MAIN, sample)
        of_group = np.array([marks[one.views.of_node[PARTITION.labels == g][0]] for g in range(3)])
        rising = np.take_along_axis(of_group, order, axis=0)
        assert (rising[:-1] <= rising[1:]).all()
        strictly += (rising[:-1] < rising[1:]).sum()
    assert strictly > 0


@pytest.mark.parametrize("name", LOWER)
def test_selected_rows_are_those_of_the_lower_noise_and_the_others_are_clean(name):
    """Bit for bit: flips and Gaussian numbers keep their addresses."""
    one = sampler_of(hierarchical(name))
    # The lower scheme in the very same views.
    lower = sampler_of(Hierarchical([1.0] * len(selects_of(LOWER[name])), LOWER[name]))
    plain = sampler_of(LOWER[name])
    assert one.columns == lower.columns == plain.columns + 1
    group = {view: int(np.flatnonzero(one.views.of_node == view)[0]) for view in range(one.views.count)}
    for sample in range(3):
        for view in range(one.views.count):
            found = dense(one, MAIN, sample, view)
            noised = dense(plain, MAIN, sample, int(plain.views.of_node[group[view]]))
            assert (dense(lower, MAIN, sample, int(lower.views.of_node[group[view]]))[:, :-1] == noised).all()
            marks = found[:, -1] == 1
            assert 0 < marks.sum() < NODES
            assert (found[marks, :-1] == noised[marks]).all()
            assert (found[~marks, :-1] == X[~marks]).all()
            if "ablation" in name:
                assert (found[marks, :-1] == 0).all()
            assert edge_set(one.graph(MAIN, sample, one.workspace(), view)) == edge_set(
                plain.graph(MAIN, sample, plain.workspace(), int(plain.views.of_node[group[view]]))
            )


def test_real_features_are_kept_bit_for_bit_where_a_row_is_not_noised():
    x = np.random.default_rng(1).normal(size=(NODES, WIDTH)).astype(np.float32)
    for law in (Ablation(), Gaussian(0.5)):
        one = Sampler(csr_of(x), WIDTH, csr(UPPER), Hierarchical(0.5, law), 3)
        found = dense(one, MAIN, 0)
        marks = found[:, -1] == 1
        assert (found[~marks, :-1] == x[~marks]).all()
        assert (found[marks, :-1] != x[marks]).all()


def csr_of(matrix):
    from scipy import sparse

    from graphcert.sampling.csr import CSR

    return CSR.of(sparse.csr_array(matrix))


@pytest.mark.parametrize("name", LOWER)
@pytest.mark.parametrize("wrapped", [False, True], ids=["lower", "hierarchical"])
@pytest.mark.parametrize("width", [3, 70])
def test_the_first_layer_of_every_view_is_the_product_with_its_features(name, wrapped, width):
    one = sampler_of(hierarchical(name) if wrapped else LOWER[name])
    weight = np.random.default_rng(3).normal(size=(one.columns, width)).astype(np.float32)
    wide = np.pad(weight, [(0, 0), (0, -width % LANES)])
    out = np.full((one.views.count, NODES, wide.shape[1]), np.nan, np.float32)
    clean = (X.astype(np.float64) @ wide[:WIDTH].astype(np.float64)).astype(np.float32)
    work = one.workspace()
    for sample in range(2):
        one.first_layer(MAIN, sample, wide, out, work, clean)
        for view in range(one.views.count):
            expected = dense(one, MAIN, sample, view, work).astype(np.float64) @ weight
            np.testing.assert_allclose(out[view, :, :width], expected, rtol=0, atol=1e-4)
        assert (out[:, :, width:] == 0).all()
        if one.selection is not None:
            marks = one.selection.rows(one.key, MAIN, sample)
            assert all((out[v][~marks[v]] == clean[~marks[v]]).all() for v in range(one.views.count))


@pytest.mark.parametrize("name", LOWER)
def test_sparse_and_dense_features_are_the_same(name):
    one = sampler_of(hierarchical(name))
    work = one.workspace()
    for view in range(one.views.count):
        ones = one.features(MAIN, 4, work, view)
        filled = np.zeros((NODES, one.columns), np.float32)
        ones.write(filled)
        assert (filled == dense(one, MAIN, 4, view)).all()
        assert all(len(set(row)) == len(row) for row in rows_of(ones))


@pytest.mark.parametrize("name", LOWER)
def test_a_sample_alone_equals_the_same_sample_in_any_order(name):
    one = sampler_of(hierarchical(name))
    alone = [dense(sampler_of(hierarchical(name)), MAIN, sample) for sample in range(5)]
    work = one.workspace()
    for order in (range(5), reversed(range(5)), [3, 3, 0, 4, 3]):
        assert all((dense(one, MAIN, sample, 0, work) == alone[sample]).all() for sample in order)


def test_purposes_samples_and_seeds_select_other_rows():
    marks = [
        dense(sampler_of(Hierarchical(0.5, FLIPS), seed), purpose, sample)[:, -1].tobytes()
        for seed in (3, 4, 3 + 2**32)
        for purpose in (PILOT, MAIN, TRAIN)
        for sample in range(3)
    ]
    assert len(set(marks)) == len(marks)


def test_the_stated_error_includes_the_selection():
    lower = sampler_of(Smoothing(FLIPS)).total_variation
    assert sampler_of(Hierarchical(0.81, FLIPS)).total_variation == lower  # 0.81 has fewer than 128 digits
    assert sampler_of(Hierarchical(1.0, FLIPS)).total_variation == lower
    tiny = sampler_of(Hierarchical(1e-30, FLIPS)).total_variation - lower
    assert 0 < tiny < 1e-30
    assert sampler_of(Hierarchical(1e-30, Ablation())).total_variation == NODES * 2.0**-128


def test_levels_that_differ_only_in_selection_are_views_of_their_own():
    lower = Smoothing([FLIPS, FLIPS, FLIPS], partition=PARTITION)
    assert sampler_of(lower).views.count == 1
    assert sampler_of(Hierarchical([0.5, 0.7, 0.9], lower)).views.count == 3
    assert sampler_of(Hierarchical(0.5, lower)).views.count == 1
