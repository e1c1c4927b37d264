"""What a module must be before its votes mean anything; every refusal is one clear sentence."""

import numpy as np
import pytest
import torch
from image_modules import Cross, Pyramid, Threshold, lattice_image
from torch import nn

import graphcert as gc
from graphcert.errors import DataError, InputError, ModelError, UnsupportedError

IMAGE = lattice_image(8, 12)
NOISE = gc.Smoothing(gc.Gaussian(0.25))
LOCALIZED = gc.Smoothing([gc.Gaussian(0.1), gc.Gaussian(0.4)], partition=gc.GridGraph(8, 12).cells(2, 3))


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, images):
        return self.function(images)


def two_classes(images):
    return images[:, :2]


def take(model, image=IMAGE, smoothing=NOISE, **options):
    return gc.sample_image_votes(model, image, smoothing, 6, 3, **{"workers": 1, **options})


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x[:, 0], r"logits of shape \(1, K ≥ 2, 8, 12\), got \(1, 8, 12\)"),
        (lambda x: x[:, :1], r"or smaller maps, got \(1, 1, 8, 12\)"),
        (lambda x: x.repeat(2, 1, 1, 1), r"got \(2, 3, 8, 12\)"),
        (lambda x: x.repeat(1, 1, 2, 2), r"got \(1, 3, 16, 24\)"),
        (lambda x: x.argmax(dim=1, keepdim=True), "must return logits"),
        (lambda x: {"aux": x}, "got NoneType"),
        (lambda x: [x], "got list"),
    ],
)
def test_other_shapes_than_maps_of_logits_are_refused(function, words):
    with pytest.raises(ModelError, match=words):
        take(Function(function))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Conv2d(4, 2, 1), r"float32 images of shape \(1, 3, 8, 12\): .*channels"),
        (nn.Conv2d(3, 2, 1).double(), "cannot be called with torch.float32 images"),
        (nn.MaxPool2d(32), "cannot be called with"),
    ],
)
def test_what_a_module_stumbles_over_is_said(module, words):
    with pytest.raises(ModelError, match=words):
        take(module)


def test_classes_are_checked_if_they_are_given():
    assert take(gc.ImageModel(Function(two_classes), classes=2)).counts.shape == (96, 2)
    with pytest.raises(ModelError, match=r"shape \(1, 4, 8, 12\), or smaller maps, got \(1, 2, 8, 12\)"):
        take(gc.ImageModel(Function(two_classes), classes=4))


def test_dictionaries_and_smaller_maps_are_read_as_torchvision_means_them():
    small = Function(lambda x: {"out": nn.functional.avg_pool2d(x, 4), "aux": x})
    images = torch.rand(2, 3, 8, 12)
    expected = nn.functional.interpolate(
        nn.functional.avg_pool2d(images, 4), size=(8, 12), mode="bilinear", align_corners=False
    )
    assert torch.equal(gc.ImageModel(small)(images), expected)


def test_channels_are_normalised():
    images = torch.rand(2, 3, 4, 4)
    model = gc.ImageModel(Function(lambda x: x), mean=[0.1, 0.2, 0.3], std=[0.5, 1.0, 2.0])
    expected = (images - torch.tensor([0.1, 0.2, 0.3])[None, :, None, None]) / torch.tensor([0.5, 1.0, 2.0])[
        None, :, None, None
    ]
    assert torch.equal(model(images), expected)
    with pytest.raises(ModelError, match="2 channels but the image has 3"):
        gc.ImageModel(Function(lambda x: x), mean=[0.1, 0.2])(images)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch": 0}, "batch of an image model"),
        ({"classes": 1}, "classes of an image model"),
        ({"reach": -1}, "reach of an image model"),
        ({"stride": 0}, "stride of an image model"),
        ({"std": [0.0]}, "above 0"),
        ({"mean": [float("nan")]}, "mean needs one finite number"),
    ],
)
def test_numbers_outside_their_domain_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        gc.ImageModel(Function(two_classes), **options)


class AlwaysDrops(nn.Dropout):
    def train(self, mode=True):
        return super().train(True)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(AlwaysDrops()), r"'module\.0' \(AlwaysDrops\) stays in training mode"),
        (nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False)), "normalises by the batch"),
        (Function(lambda x: x + torch.rand_like(x)), "different outputs for identical images"),
        (Function(lambda x: x * float("nan")), "NaN logits under noise"),
    ],
)
def test_what_is_random_or_no_number_is_refused(module, words):
    with pytest.raises(ModelError, match=words):
        take(module)


class Remembers(nn.Module):
    first = None

    def forward(self, images):
        if self.first is None:
            self.first = images.clone()
        return self.first[:, :, : images.shape[2], : images.shape[3]]


def test_what_remembers_earlier_images_is_refused():
    with pytest.raises(ModelError, match="remembers earlier images"):
        take(Remembers())


class Keeps(nn.Module):
    """Keeps the output of the first image of a shape, or of the first image at all."""

    def __init__(self, by_shape, table=False):
        super().__init__()
        self.layer, self.by_shape, self.table = nn.Conv2d(3, 2, 3, padding=1), by_shape, {} if table else None
        self.output = None

    def forward(self, images):
        if self.table is not None:
            return self.table.setdefault(images.shape, self.layer(images))
        if self.output is None or (self.by_shape and self.output.shape[2:] != images.shape[2:]):
            self.output = self.layer(images)
        return self.output


@pytest.mark.parametrize("called", [False, True], ids=["empty", "filled"])
@pytest.mark.parametrize(
    ("arguments", "place"), [((True,), "output"), ((False,), "output"), ((True, True), "table")], ids=str
)
def test_what_keeps_an_output_is_refused_even_if_it_kept_it_before(arguments, place, called):
    model = Keeps(*arguments).eval()
    if called:
        model(torch.from_numpy(IMAGE).permute(2, 0, 1)[None])
    with pytest.raises(ModelError, match=rf"remembers earlier images in model\.module\.{place} and would ignore noise"):
        take(model)


class Inspected(nn.Sequential):
    """Keeps what it has computed, with its gradient history, and computes it in every call."""

    def forward(self, images):
        self.seen = super().forward(images)
        return self.seen


@pytest.mark.parametrize("smoothing", [NOISE, LOCALIZED], ids=["isotropic", "localized"])
def test_what_is_computed_anew_may_be_kept(smoothing):
    model = Inspected(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 2, 3, padding=1)), nn.GroupNorm(1, 2))
    model(torch.from_numpy(IMAGE).permute(2, 0, 1)[None])
    kept = model.seen
    assert take(model, smoothing=smoothing, workers=2).samples == 6
    assert model.seen is kept


class InPlace(nn.Module):
    """Normalises the channels where they lie, as torchvision's transforms may."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, images):
        images.sub_(0.5).div_(0.25)
        return self.module(images)


@pytest.mark.parametrize("smoothing", [NOISE, LOCALIZED], ids=["isotropic", "localized"])
@pytest.mark.parametrize("batch", [1, 3])
def test_images_may_be_normalised_in_place(smoothing, batch):
    torch.manual_seed(0)
    inner, image = nn.Conv2d(3, 2, 3, padding=1), IMAGE.copy()
    found = take(gc.ImageModel(InPlace(inner), batch=batch, reach=1), image, smoothing)
    expected = take(gc.ImageModel(inner, batch=batch, reach=None, mean=[0.5] * 3, std=[0.25] * 3), image, smoothing)
    assert np.array_equal(image, IMAGE)
    assert np.abs(found.counts - expected.counts).sum() <= 4


def test_images_of_a_batch_must_not_see_each_other():
    mixing = Function(lambda x: x - x.mean(dim=0, keepdim=True) + 0.5 * x)
    with pytest.raises(ModelError, match="influence each other"):
        take(gc.ImageModel(mixing, batch=4))
    assert take(gc.ImageModel(mixing, batch=1)).samples == 6


@pytest.mark.parametrize("reach", [0, None])
def test_a_reach_is_verified(reach):
    class Boasts(Cross):
        pass

    Boasts.reach = 0
    with pytest.raises(ModelError, match="sees further than 0 pixels"):
        take(Boasts(), smoothing=LOCALIZED, reach=reach)
    assert take(Boasts(), smoothing=LOCALIZED, reach=1).samples == 6


def test_a_stride_is_verified():
    """Five pixels to the left of the last cells, whose first column is 8, is an odd column: other pixels would be merged."""
    with pytest.raises(ModelError, match="its stride is not 1"):
        take(gc.ImageModel(Pyramid(), reach=5, stride=1), smoothing=LOCALIZED)
    whole = gc.ImageModel(Pyramid())
    whole.reach = None
    aligned = take(gc.ImageModel(Pyramid(), reach=5, stride=2), smoothing=LOCALIZED)
    assert np.array_equal(aligned.counts, take(whole, smoothing=LOCALIZED).counts)


def test_statistics_of_the_whole_image_are_seen_further_than_any_reach():
    with pytest.raises(ModelError, match="sees further than 3 pixels"):
        take(nn.Sequential(nn.InstanceNorm2d(3)), smoothing=LOCALIZED, reach=3)
    assert take(nn.Sequential(nn.InstanceNorm2d(3)), smoothing=LOCALIZED).samples == 6


def test_the_model_gets_its_own_mode_and_weights_back():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Dropout(0.9)).train()
    before = [parameter.clone() for parameter in model.parameters()]
    take(model)
    assert model.training
    assert model[1].training
    assert all(torch.equal(one, two) for one, two in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"image": IMAGE[0, 0]}, InputError, "height, width, channels"),
        ({"image": (IMAGE * 255).astype(np.int32)}, InputError, "uint8, or floats"),
        ({"image": IMAGE * 255}, InputError, r"values in \[0, 1\]"),
        ({"image": IMAGE * np.float32("nan")}, InputError, r"values in \[0, 1\]"),
        ({"smoothing": gc.Smoothing(edges=gc.BernoulliFlip(0.1, 0.1))}, UnsupportedError, "no edges"),
        ({"smoothing": 0.1}, InputError, "takes a Smoothing"),
        ({"smoothing": gc.Smoothing(gc.BernoulliFlip(0.1, 0.1))}, DataError, "binary"),
        ({"image": IMAGE[:4], "smoothing": LOCALIZED}, InputError, "96 nodes but the graph has 48"),
        ({"reach": -1}, InputError, "reach must be"),
        ({"workers": 0}, InputError, "workers"),
        ({"seed": -1}, InputError, "seed"),
    ],
)
def test_what_cannot_be_voted_on_is_refused(options, error, words):
    with pytest.raises(error, match=words):
        take(Threshold(), **options)
