"""The report of certified segmentations: pictures beside pictures, and what holds under which change of the image."""

from graphcert.report.images.claims import ImageClaims, Match, results_table
from graphcert.report.images.content import SegmentationContent, report_content
from graphcert.report.images.page import render, write_report
from graphcert.report.images.pictures import mask_picture, overlay_picture, png

__all__ = [
    "ImageClaims", "Match", "SegmentationContent", "mask_picture", "overlay_picture", "png", "render", "report_content",
    "results_table", "write_report",
]  # fmt: skip
