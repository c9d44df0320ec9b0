"""Of which dataset a dataset of an event is a partition: by what its producer says of it, else by its name."""

from __future__ import annotations

from quell.sdk.partitions import Whole
from quell_connectors.openlineage.facets import Reading
from quell_connectors.openlineage.names import Names
from quell_connectors.openlineage.shapes import Dataset, Hierarchy, Subset, Symlinks

_PARTS = frozenset({"location", "partition"})


def whole_of(dataset: Dataset, names: Names, reading: Reading) -> Whole:
    """The name of the whole, and what of it is meant ("" for all of it).

    Producers that tell levels (facet ``hierarchy``) or which part is meant (``subset``) name the whole by themselves.
    What is a partition by its name only goes by its name in the catalog (``symlinks``) if it has one there.
    """
    name = dataset.name.strip().strip("/")
    if names.partitions:
        return Whole(name, "")
    told = reading.facet(dataset.facets, "hierarchy", Hierarchy, dataset.name)
    if told is not None and told.hierarchy:
        return _by_levels(name, told)
    if _says_which_part(dataset, reading):
        return Whole(name, "")
    found = names.whole(name)
    if not found.partition:
        return found
    links = reading.facet(dataset.facets, "symlinks", Symlinks, dataset.name)
    tables = [one.name for one in (links.identifiers or () if links is not None else ()) if one.type.upper() == "TABLE"]
    return Whole(names.whole(tables[0]).name, found.partition) if tables and tables[0].strip() else found


def _by_levels(name: str, told: Hierarchy) -> Whole:
    """Without its last levels as far as they are partitions."""
    levels = list(told.hierarchy or ())
    taken: list[str] = []
    while len(levels) > 1 and "PARTITION" in levels[-1].type.upper():
        taken.insert(0, levels.pop().name)
    if not taken:
        return Whole(name, "")
    left = name
    for part in reversed(taken):
        left = left.removesuffix(part).rstrip("/-_.@$ ")
    if not left or left == name:
        left = ".".join(level.name for level in levels)
    return Whole(left, "/".join(taken))


def _says_which_part(dataset: Dataset, reading: Reading) -> bool:
    for facets in (dataset.input_facets, dataset.output_facets):
        told = reading.facet(facets, "subset", Subset, dataset.name)
        conditions = (told.input_condition, told.output_condition) if told is not None else ()
        if any(one is not None and one.type in _PARTS for one in conditions):
            return True
    return False
