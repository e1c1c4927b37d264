"""The report of certified segmentations: pictures beside pictures, and what holds under which change of the image."""

from graphcert.report.segmentation.content import Curves, Piece, SegmentationContent
from graphcert.report.segmentation.html import render, write_report
from graphcert.report.segmentation.pictures import mask_picture, overlay_picture, png

__all__ = [
    "Curves",
    "Piece",
    "SegmentationContent",
    "mask_picture",
    "overlay_picture",
    "png",
    "render",
    "write_report",
]
