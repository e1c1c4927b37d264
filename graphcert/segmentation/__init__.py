"""Segmentation: an image is a grid graph, and every pixel's class is certified like a node's."""

from graphcert.segmentation.grid_graph import GridGraph
from graphcert.segmentation.image_model import ImageModel
from graphcert.segmentation.images import ImageFolder, read_image, read_mask
from graphcert.segmentation.metrics import PixelCounts, certified_mask
from graphcert.segmentation.voting import sample_image_votes

__all__ = [
    "GridGraph",
    "ImageFolder",
    "ImageModel",
    "PixelCounts",
    "certified_mask",
    "read_image",
    "read_mask",
    "sample_image_votes",
]
