"""The report of a certificate: one self-contained HTML page, and a few lines for the terminal."""

from graphcert.report.frame.wording import flip_words
from graphcert.report.graphs.attacks import attack_words
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.page import render, write_report
from graphcert.report.graphs.result import collective_lines, collective_words, half_held, summary_lines, summary_words

__all__ = [
    "ReportContent", "attack_words", "collective_lines", "collective_words", "flip_words", "half_held",
    "render", "summary_lines", "summary_words", "write_report",
]  # fmt: skip
