"""Segmentation: an image is a grid graph, and every pixel's class is certified like a node's."""

from graphcert.images.grid_graph import GridGraph
from graphcert.images.image_files import ImageFolder, read_image, read_mask
from graphcert.images.image_model import ImageModel
from graphcert.images.image_votes import sample_image_votes
from graphcert.images.pixel_counts import PixelCounts, certified_mask

__all__ = [
    "GridGraph", "ImageFolder", "ImageModel", "PixelCounts", "certified_mask", "read_image", "read_mask",
    "sample_image_votes",
]  # fmt: skip
