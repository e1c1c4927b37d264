"""The report of a certificate: one self-contained HTML page, and a few lines for the terminal."""

from graphcert.report.frame.wording import flip_words
from graphcert.report.graphs.attacks import attack_lines
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.page import render, write_report
from graphcert.report.graphs.result import collective_lines, summary_lines

__all__ = ["ReportContent", "attack_lines", "collective_lines", "flip_words", "render", "summary_lines", "write_report"]
