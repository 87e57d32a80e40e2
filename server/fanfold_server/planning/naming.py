"""What the names of items mean: a unit of a root, or a path below one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fanfold_workers.tools.files import split_place

from .items import Item, Wish, layout
from .survey import Survey, below, near

_VERSION = re.compile(r"[-_ ]v?\d[\w.+!-]*$")
_SHORTEST_NEAR = 500
"""Unknown names beyond this many get no suggestions: looking for them would take longer than the plan."""


@dataclass(slots=True)
class Names:
    """Finds what is named below some places.

    Attributes:
        survey: the look at the roots.
        places: where names are looked for, in order.
    """

    survey: Survey
    places: tuple[str, ...]
    _units: Mapping[str, list[Item]] | None = None
    _listed: list[str] = field(default_factory=list[str])
    _asked: int = 0

    def find(self, name: str) -> Item | None:
        """The item of that name with everything it means, or None."""
        spelt = name.strip().strip("`'\"").replace("\\", "/").rstrip("/")
        found = self._by_path(spelt) or self._by_unit(spelt) or self._below(spelt)
        if not found:
            return None
        places = tuple(dict.fromkeys(place for item in found for place in item.places))
        return Item(name, places[:500], found[0].title)

    def near(self, name: str) -> list[str]:
        """Names that a wrong one may have meant, best first."""
        self._asked += 1
        if self._asked > _SHORTEST_NEAR:
            return []
        self._index()
        return near(re.split(r"[:/]", name.strip().rstrip("/"))[-1], self._listed)

    def _by_path(self, name: str) -> list[Item]:
        root, mark, path = re.match(r"([^:/]*)([:/]?)(.*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
        meant = [own for own in self.survey.roots if own.casefold() == root.casefold()]
        if not meant:
            return []
        place = self.survey.resolve(meant[0], path) if mark else meant[0]
        return [Item(name, (place,))] if place and self.holds(place) else []

    def holds(self, place: str) -> bool:
        """Whether a place is at or below one of those that names are looked for in."""
        return any(place == own or place.startswith((f"{own}/", f"{own}:")) for own in map(_plain, self.places))

    def _by_unit(self, name: str) -> list[Item]:
        units = self._index()
        key = Item(name).key
        exact = units.get(key, [])
        if exact:
            return exact
        versioned = [unit for unit in units if _VERSION.sub("", unit) == key]
        return units[versioned[0]] if len(versioned) == 1 else []

    def _below(self, name: str) -> list[Item]:
        found = [self.survey.resolve(root, f"{path}/{name}") for root, path in map(split_place, self.places)]
        return [Item(name, (place,)) for place in found if place]

    def _index(self) -> Mapping[str, list[Item]]:
        if self._units is None:
            units: dict[str, list[Item]] = {}
            for place in self.places:
                for item in layout(place, self.survey, Wish(several=True)).items:
                    units.setdefault(item.key, []).append(item)
                    self._listed.append(item.name)
                self._listed.extend(child for child in self.survey.children(place) if below(place, child))
            self._units = units
        return self._units


def _plain(place: str) -> str:
    root, path = split_place(place)
    return f"{root}:{path}" if path else root
