"""Votes of pixels: the law is the one described, and they depend on nothing but the seed."""

import numpy as np
import pytest
import torch
from image_modules import STEP, Cross, Pyramid, Threshold, lattice_image
from scipy import stats
from torch import nn
from torch_geometric.utils import scatter

import graphcert as gc
from graphcert.images.image_files import pixel_values
from graphcert.images.image_path import ImagePath
from graphcert.images.image_votes import image_problem

GRID = gc.GridGraph(12, 16)
CELLS = GRID.cells(2, 4)
IMAGE = lattice_image(12, 16)
ISOTROPIC = gc.Smoothing(gc.Gaussian(0.25, STEP))
LOCALIZED = gc.Smoothing([gc.Gaussian(0.1, STEP), gc.Gaussian(0.3, STEP), gc.Gaussian(0.6, STEP)], partition=CELLS)
FALSE_ALARM = 1e-9


def votes(model, smoothing=LOCALIZED, samples=40, **options):
    return gc.sample_image_votes(model, IMAGE, smoothing, samples, 10, **{"seed": 5, "workers": 1, **options})


# The same votes


@pytest.mark.parametrize("smoothing", [ISOTROPIC, LOCALIZED], ids=["isotropic", "localized"])
@pytest.mark.parametrize(
    "options", [{"workers": 3}, {"batch_size": 7}, {"shard_samples": 3}, {"workers": 2, "batch_size": 1}]
)
def test_votes_do_not_depend_on_how_they_are_taken(smoothing, options):
    # Any weights: equality is bit for bit, not up to rounding.
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 4, 3, padding=1))
    expected = votes(gc.ImageModel(model, batch=4), smoothing)
    assert votes(gc.ImageModel(model, batch=4), smoothing, **options) == expected
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert votes(gc.ImageModel(model, batch=4), smoothing, **options) == expected
    finally:
        torch.set_num_threads(threads)


def test_images_of_a_batch_are_the_samples_that_they_stand_for():
    assert votes(gc.ImageModel(Pyramid(), batch=3)) == votes(Pyramid())


def test_another_seed_gives_other_votes():
    assert votes(Pyramid()) != votes(Pyramid(), seed=6)


def test_equal_levels_are_isotropic_noise_vote_for_vote():
    equal = gc.Smoothing([gc.Gaussian(0.25, STEP)] * 3, partition=CELLS)
    assert np.array_equal(votes(Pyramid(), equal).counts, votes(Pyramid(), ISOTROPIC).counts)


@pytest.mark.parametrize("model", [Cross, Pyramid])
def test_windows_give_the_votes_of_whole_images(model):
    module = model()
    whole = gc.ImageModel(module)
    whole.reach = None
    in_windows = votes(module)
    assert in_windows.manifest["reach"] == model.reach
    assert votes(whole).manifest["reach"] is None
    assert np.array_equal(in_windows.counts, votes(whole).counts)


def test_windows_save_what_they_leave_out(monkeypatch):
    seen = []
    monkeypatch.setattr(
        Cross, "forward", lambda self, x, run=Cross.forward: (seen.append(x[0, 0].numel()), run(self, x))[1]
    )
    votes(Cross())
    samples = 50
    # 12 × 16 pixels in 2 × 4 cells of 6 × 4: a cell in the middle needs 7 × 6 pixels, one in the corner 7 × 5.
    assert sum(seen[-8 * samples :]) == samples * (4 * 7 * 6 + 4 * 7 * 5)


# The law


def drawn(smoothing, model=None, image=IMAGE):
    path = ImagePath(
        image_problem(pixel_values(image), smoothing, 3), image.shape[:2], gc.ImageModel(Threshold()), None
    )
    return path, np.array([path._draw(1, sample).copy() for sample in range(60)]).astype(np.float64) - image


def test_every_cell_sees_its_own_levels_of_one_draw():
    smoothing = gc.Smoothing([gc.Gaussian(0.125), gc.Gaussian(0.25), gc.Gaussian(1.0)], partition=CELLS)
    path, noise = drawn(smoothing)
    sigma = np.array([law.sigma for law in smoothing.features])
    units = None
    for view, members in enumerate(path.problem.members):
        cells = np.unique(CELLS.labels[members])
        # Worked out again from the definition: level ⌊rank · L / C⌋ of block j for group i.
        levels = CELLS.rank[cells[0]][CELLS.labels] * len(sigma) // CELLS.clusters
        assert (levels[np.isin(CELLS.labels, cells)] == 0).all()
        own = noise[:, view].reshape(60, -1, 3) / sigma[levels][None, :, None]
        units = own if units is None else units
        # A float32 around 1 is rounded by 2⁻²⁴ at most, which the smallest deviation makes 2⁻²¹.
        assert np.abs(own - units).max() < 5e-6
    assert stats.kstest(units.ravel(), "norm").pvalue > FALSE_ALARM
    assert stats.kstest(units[1:].ravel() * units[:-1].ravel(), stats.norm.cdf).pvalue < FALSE_ALARM, "a product is not"
    correlation = np.corrcoef(units[::2].ravel(), units[1::2].ravel())[0, 1]
    assert abs(correlation) * np.sqrt(units.size / 2) < stats.norm.isf(FALSE_ALARM / 2)


@pytest.mark.parametrize("shift", [0, 8])
def test_votes_of_a_threshold_have_their_closed_form(shift):
    """A pixel looks at another one, near or far, and votes 1 with probability Φ((x − ½)/σ) for the σ that it sees there."""
    smoothing = gc.Smoothing([gc.Gaussian(0.1), gc.Gaussian(0.6)], partition=CELLS)
    samples = 400
    counts = votes(Threshold(shift), smoothing, samples).counts[:, 1]
    other = np.roll(np.arange(GRID.size).reshape(12, 16), -shift, axis=1).ravel()
    level = CELLS.rank[CELLS.labels, CELLS.labels[other]] * 2 // CELLS.clusters
    assert (level == 0).all() == (shift == 0)
    sigma = np.array([0.1, 0.6])[level]
    p = stats.norm.cdf((IMAGE[..., 0].ravel()[other] - 0.5) / sigma)

    def alarming(p):
        tail = np.minimum(stats.binom.cdf(counts, samples, p), stats.binom.sf(counts - 1, samples, p))
        return (tail < FALSE_ALARM / (2 * GRID.size)).any()

    assert not alarming(p)
    exchanged = stats.norm.cdf((IMAGE[..., 0].ravel()[other] - 0.5) / np.where(sigma == 0.1, 0.6, 0.1))
    assert alarming(exchanged), "near and far exchanged must be seen"


# One noise, two ways


class GraphThreshold(nn.Module):
    def forward(self, x, edge_index):
        value = x[:, :1] - 0.5
        return torch.cat([-value, value], dim=1)


class GraphCross(nn.Module):
    def forward(self, x, edge_index):
        around = scatter(x[edge_index[0], :1], edge_index[1], dim_size=len(x), reduce="sum")
        value = x[:, :1] + around - (2 + STEP / 2)
        return torch.cat([-value, value], dim=1)


@pytest.mark.parametrize("smoothing", [ISOTROPIC, LOCALIZED], ids=["isotropic", "localized"])
@pytest.mark.parametrize(("image_module", "graph_module"), [(Threshold, GraphThreshold), (Cross, GraphCross)])
def test_a_graph_network_on_the_grid_casts_the_same_votes(smoothing, image_module, graph_module):
    on_graph = gc.sample_votes(graph_module(), GRID.data(IMAGE), smoothing, 40, 10, seed=5)
    assert np.array_equal(on_graph.counts, votes(image_module(), smoothing).counts)
    assert len(np.unique(on_graph.counts)) > 5, "the votes are not trivial"


def test_other_noise_of_features_works_too():
    bits = (IMAGE > 0.5).astype(np.float32)
    flips = gc.Smoothing(gc.BernoulliFlip(0.1, 0.3))
    found = gc.sample_image_votes(Threshold(), bits, flips, 30, 5, seed=2)
    on_graph = gc.sample_votes(GraphThreshold(), GRID.data(bits), flips, 30, 5, seed=2)
    assert np.array_equal(found.counts, on_graph.counts)

    class Marked(nn.Module):
        def forward(self, images):
            value = images[:, 3:4] - 0.5
            return torch.cat([-value, value], dim=1)

    hierarchical = gc.Hierarchical(0.7, gc.Smoothing(gc.Gaussian(0.2)))
    marked = gc.sample_image_votes(Marked(), IMAGE, hierarchical, 200, 5, seed=2).counts[:, 1]
    tails = np.minimum(stats.binom.cdf(marked, 200, 0.7), stats.binom.sf(marked - 1, 200, 0.7))
    assert (tails > FALSE_ALARM / (2 * GRID.size)).all()


# Interruptions


def test_a_store_goes_on_where_it_was(tmp_path, monkeypatch):
    expected = votes(Pyramid(), samples=40)
    assert votes(Pyramid(), samples=24, store=tmp_path, shard_samples=8).samples == 24
    taken = []
    count = ImagePath.add_to
    monkeypatch.setattr(ImagePath, "add_to", lambda self, *args: (taken.append(args[2:]), count(self, *args))[1])
    assert votes(Pyramid(), samples=40, store=tmp_path, shard_samples=8) == expected
    assert min(start for start, _ in taken) == 24, "what is stored is not taken again"
    with pytest.raises(gc.errors.VotesError, match="different: data"):
        gc.sample_image_votes(Pyramid(), 1 - IMAGE, LOCALIZED, 40, 10, seed=5, store=tmp_path, shard_samples=8)


def test_the_manifest_says_what_was_classified():
    first, again = votes(Pyramid()).manifest, votes(Pyramid()).manifest
    assert first == again
    assert {"graphcert", "torch", "seed", "model", "data", "smoothing", "path", "reach"} <= set(first)
    grey = gc.sample_image_votes(Pyramid(), IMAGE / 2, gc.Smoothing(gc.Gaussian(0.1)), 2, 2).manifest
    assert grey["data"] != first["data"]


def test_votes_become_certified_pixels():
    certificate = gc.certify(votes(Threshold(), ISOTROPIC, 300))
    certified = GRID.pixels(certificate.robust(shift=0.1))
    assert 0 < certified.mean() < 1
    # The truth in closed form: far from the threshold is robust, and a claim nearer than the shift would be wrong.
    distance = abs(IMAGE[..., 0] - 0.5)
    assert distance[certified].min() > 0.1
