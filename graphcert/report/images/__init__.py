"""The report of certified segmentations: pictures beside pictures, and what holds under which change of the image."""

from graphcert.report.images.content import Curves, ImageClaims, Match, Piece, SegmentationContent
from graphcert.report.images.page import render, write_report
from graphcert.report.images.pictures import mask_picture, overlay_picture, png
from graphcert.report.images.results import report_content, results_table

__all__ = [
    "Curves", "ImageClaims", "Match", "Piece", "SegmentationContent", "mask_picture", "overlay_picture", "png", "render",
    "report_content", "results_table", "write_report",
]  # fmt: skip
