"""What the names of items mean: a unit of a root, or a path below one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fanfold_workers.tools.files import split_place

from .items import Item, Wish, layout
from .reading import visible
from .survey import Survey, plain


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

    def find(self, name: str) -> Item | None:
        """The item of that name with everything it means, or None."""
        spelt = name.strip().strip("`'\"").replace("\\", "/").rstrip("/")
        if not visible(spelt):
            return None
        found = self._by_path(spelt) or self._by_unit(spelt) or self._below(spelt)
        if not found:
            return None
        places = tuple(dict.fromkeys(place for item in found for place in item.places))
        return Item(name, places[:500], found[0].title)

    def near(self, name: str) -> list[str]:
        """Names that a wrong one may have meant, best first."""
        self._index()
        return self.survey.like(name.strip().rstrip("/").replace(":", "/").rpartition("/")[2], self._listed)

    def _by_path(self, name: str) -> list[Item]:
        root, mark, path = name.partition(":" if ":" in name.partition("/")[0] else "/")
        meant = [own for own in self.survey.roots if own.casefold() == root.casefold()]
        if not meant:
            return []
        place = self.survey.resolve(meant[0], path) if mark else meant[0]
        return [Item(name, (place,))] if place and self.holds(place) else []

    def holds(self, place: str) -> bool:
        """Whether a place is at or below one of those that names are looked for in."""
        return any(place == own or place.startswith((f"{own}/", f"{own}:")) for own in map(_spelt, self.places))

    def _by_unit(self, name: str) -> list[Item]:
        units = self._index()
        key = Item(name).key
        exact = units.get(key, [])
        if exact:
            return exact
        versioned = [unit for unit in units if plain(unit) == key]
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
                self._listed.extend(self.survey.children(place))
            self._units = units
        return self._units


def _spelt(place: str) -> str:
    root, path = split_place(place)
    return f"{root}:{path}" if path else root
