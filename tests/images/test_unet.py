"""The U-Net: sizes, how far it sees, windows of images."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.errors import InputError
from graphcert.images.unet import UNet

SHAPES = [
    {"width": 2, "depth": 1, "context": 0, "cell": 1},
    {"width": 2, "depth": 1, "context": 1, "cell": 2},
    {"width": 2, "depth": 2, "context": 0, "cell": 2},
    {"width": 2, "depth": 2, "context": 1, "cell": 1},
    {"width": 2, "depth": 3, "context": 0, "cell": 2},
]


def positive(shape: dict[str, int]) -> UNet:
    """A network in which nothing cancels: every influence that exists shows in the gradient."""
    model = UNet(channels=1, classes=2, **shape).eval().double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.05 + 0.05 * torch.rand_like(parameter))
    return model


@pytest.mark.parametrize("shape", SHAPES)
def test_no_pixel_influences_beyond_the_reach_and_the_bound_is_close(shape: dict[str, int]) -> None:
    model = positive(shape)
    side = 2 * model.reach + 2 * model.stride + 1
    seen = []
    for pixel in range(side // 2 - model.stride, side // 2 + model.stride):
        image = torch.rand(1, 1, side, 2 * model.stride, dtype=torch.float64, requires_grad=True)
        model(image)[0, :, pixel].sum().backward()
        assert image.grad is not None
        rows = image.grad[0, 0].ne(0).any(dim=1).nonzero()[:, 0]
        seen.append(max(pixel - int(rows.min()), int(rows.max()) - pixel))
    assert max(seen) <= model.reach
    assert max(seen) >= model.reach - model.stride - model.cell  # a constant that is merely huge would fail here


@given(shape=st.sampled_from(SHAPES), height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_any_size_gives_logits_of_that_size(shape: dict[str, int], height: int, width: int, seed: int) -> None:
    torch.manual_seed(seed)
    model = UNet(channels=3, classes=5, **shape).eval()
    logits = model(torch.rand(2, 3, height, width))
    assert logits.shape == (2, 5, height, width)
    assert bool(torch.isfinite(logits).all())


@given(seed=st.integers(0, 10**6), start=st.integers(0, 3), end=st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_a_window_has_the_logits_of_the_whole_image_away_from_its_cuts(seed: int, start: int, end: int) -> None:
    torch.manual_seed(seed)
    model = UNet(channels=1, classes=3, width=3, depth=2, context=0, cell=2).eval().double()
    image = torch.rand(1, 1, 101, 30, dtype=torch.float64)
    top, bottom = start * model.stride, 101 - end
    whole, part = model(image), model(image[:, :, top:bottom])
    first = top + model.reach if top else 0
    last = bottom - model.reach if end else 101
    assert last > first
    torch.testing.assert_close(part[:, :, first - top : last - top], whole[:, :, first:last], rtol=1e-9, atol=1e-9)


def test_images_of_a_batch_do_not_influence_each_other() -> None:
    model = UNet(channels=3, classes=4, width=4, depth=2).eval().double()
    images = torch.rand(3, 3, 20, 12, dtype=torch.float64)
    alone = torch.cat([model(image[None]) for image in images])
    torch.testing.assert_close(model(images), alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"classes": 1},
        {"depth": True},
        {"cell": 0},
        {"context": -1},
        {"mean": [0.5]},
        {"deviation": [1, 0, 1]},
    ],
)
def test_numbers_out_of_their_domain_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        UNet(**options)  # type: ignore[arg-type]


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="takes images"):
        UNet(width=2, depth=1)(torch.rand(1, 4, 8, 8))
