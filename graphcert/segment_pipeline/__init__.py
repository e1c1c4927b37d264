"""Segmenting, certifying and reporting a folder of images in one run folder."""

from graphcert.segment_pipeline.run import SegmentRun
from graphcert.segment_pipeline.settings import SegmentSettings

__all__ = ["SegmentRun", "SegmentSettings"]
