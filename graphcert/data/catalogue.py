"""The list of known data sets for people: what they are and whether they are on this machine."""

from dataclasses import dataclass

from graphcert.data.files import Root, locate
from graphcert.data.registry import REGISTRY, Entry
from graphcert.errors import DataError


@dataclass(frozen=True)
class DatasetRow:
    """One line of the list. Counts are those of the default form; None is "any, by option" (synthetic)."""

    name: str
    nodes: int | None
    edges: int | None
    features: int | None
    classes: int | None
    where: str
    licence: str
    source: str


def describe_datasets(root: Root = None) -> list[DatasetRow]:
    """All data sets that `load_dataset` knows by name, in the order of the registry; downloads nothing.

    `where` is "embedded" (digits), "generated" (synthetic), the folder that holds the verified files, "download" if
    one of them would have to be fetched, or "damaged: …" with the reason why a file that was found cannot be used.

    Args:
        root: folder to look for files first, as in `load_dataset`.
    """
    return [
        DatasetRow(
            name=entry.name,
            nodes=entry.nodes,
            edges=entry.edges,
            features=entry.features,
            classes=entry.classes,
            where=_where(entry, root),
            licence=entry.licence,
            source=entry.source,
        )
        for entry in REGISTRY.values()
    ]


def _where(entry: Entry, root: Root) -> str:
    if not entry.files:
        return "generated" if entry.nodes is None else "embedded"
    try:
        copies = [locate(file, root) for file in entry.files]
    except DataError as error:
        return f"damaged: {error}"
    found = [copy[0].parent for copy in copies if copy is not None]
    return str(found[0]) if len(found) == len(copies) else "download"
