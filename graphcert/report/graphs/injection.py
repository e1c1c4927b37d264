"""The section about new nodes: what they can do, and which targets fall to which of their contacts."""

import numpy as np
from markupsafe import Markup

from graphcert.report.frame.html import Section, block
from graphcert.report.frame.wording import injection_words, number
from graphcert.report.graphs.content import Injected, ReportContent

_ROWS, _CONTACTS = 12, 4
"""Of the table of targets, and contacts that are named of each."""


def injection(content: ReportContent) -> Section | None:
    """The adversary in words, and the best attacks that were found; None where no node can be added."""
    scheme = content.certificate.smoothing
    swept = [sweep for sweep in content.sweeps if sweep.injected]
    if not swept:
        return None
    kept = 100 * (1 - scheme.dropped_nodes)
    words = [
        "The adversary adds new nodes to the graph, with any features, any edges among each other, and up to so many edges "
        "each to old nodes, wherever they are; with a budget for it, edges between old nodes and features change as well. "
        f"In every noisy graph a new node survives with the same probability as any other, {kept:.4g} %, and a target that "
        "is dropped itself sees nothing but its own features. So the label of a target can change only if contacts to it, "
        "or to nodes near it, survive often enough together with it.",
    ]
    parts = [block("paragraphs", words)]
    if not content.injected:
        parts.append(block("paragraphs", ["No attack is known that takes any target at these budgets."]))
    parts += [_attack(content, found) for found in content.injected]
    return Section("New nodes", Markup().join(parts))


def _attack(content: ReportContent, found: Injected) -> Markup:
    """The nodes that the best attack at one budget joins most, and the targets that fall to that."""
    attack, claims = found.attack, content.certificate.claims
    fallen = np.flatnonzero(attack.fallen)
    heading = (
        f"The best attack found against {injection_words(*found.budget)}: the bounds leave {number(fallen.size)} of "
        f"{number(claims)} targets open"
    )
    rows = []
    order = np.argsort(-np.array([attack.through[[v], :].sum() for v in fallen]), kind="stable")
    for target in fallen[order[:_ROWS]].tolist():
        heard = attack.through[[target], :].tocoo()
        contacts = sorted(
            zip(heard.data.tolist(), heard.coords[-1].tolist(), strict=True), key=lambda one: (-one[0], one[1])
        )
        named = [f"{number(times)} at {'itself' if node == target else f'node {node}'}" for times, node in contacts]
        rest = [f"and at {number(len(named) - _CONTACTS)} more"] * (len(named) > _CONTACTS)
        rows.append(
            [f"node {target}", str(content.certificate.labels[target]), ", ".join(named[:_CONTACTS] + rest) or "–"]
        )
    if not rows:
        return block("paragraphs", [f"{heading}."])
    more = f"; the {_ROWS} with most contacts in reach" if fallen.size > _ROWS else ""
    return block("table", f"{heading}{more}", ["target", "class", "contacts it may notice"], rows)
