"""What the reader must know before believing a number: the caller's warnings and those that the content implies."""

import numpy as np

from graphcert.report.content import ReportContent
from graphcert.report.wording import number


def notices(content: ReportContent) -> list[str]:
    """Sentences, the caller's first."""
    certificate = content.certificate
    unknown = int((content.truth[certificate.targets] < 0).sum())
    found = list(content.warnings)
    if not certificate.simultaneous:
        found.append(
            f"Each claim is made at α = {certificate.alpha:g} for itself: counts, ratios and curves on this page add "
            "up single claims and are no joint guarantee."
        )
    if bool(np.all(certificate.abstained)):
        found.append(
            "Every target abstains, so nothing is certified; take more samples, weaker noise, or train the model under "
            "the noise it is smoothed with."
        )
    if unknown == certificate.claims:
        found.append("No target has a known label, so there is no accuracy to report.")
    elif unknown:
        found.append(
            f"{number(unknown)} of {number(certificate.claims)} targets have no known label; certified accuracy counts "
            "them as not correct."
        )
    return found
