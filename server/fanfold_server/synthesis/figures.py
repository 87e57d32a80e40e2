"""Figures in prose, and whether any of what was found has them.

A figure has two digits or more, a fraction, or a unit. It is known where a text has it: written in any usual way
(`1,200`, `1.200`, `1200`, `1.2 thousand`), rounded (`40 %` for 39.7), or as the beginning of a version (`3.11` for
`3.11.4`). What nobody can tell from its digits stays unknown: a sum, a difference, a conversion of units, a count
that the writer made. Numbers in words are not looked at.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fanfold_workers.aside import stop_if_abandoned

from .meaning import UNITS

_NUMBER = r"\d+(?:[.,]\d+|['\u2019]\d{3}(?!\d))*"
_TIMES = {
    "k": 1e3, "thousand": 1e3, "\u5343": 1e3, "\u4e07": 1e4, "\u842c": 1e4, "m": 1e6, "million": 1e6,
    "\u5104": 1e8, "\u4ebf": 1e8, "bn": 1e9, "billion": 1e9,
}  # fmt: skip
_MORE_UNITS = """
    percent per\\scent years? months? weeks? kg km cm mm g t l kw mw w v hz khz mhz ghz px tb kib mib gib usd eur x
"""
_UNIT = "|".join(sorted((*UNITS, *_TIMES, *_MORE_UNITS.split()), key=len, reverse=True))
_FIGURE = re.compile(
    rf"(?<![A-Za-z\u00c0-\u024f_\d.,])(?P<sign>[$\u20ac\u00a3\u00a5]\s?)?v?(?P<number>{_NUMBER})"
    rf"(?P<unit>\s?(?:[%\u2030\u00b0\u20ac]|(?:{_UNIT})(?![A-Za-z\u00c0-\u024f\d])))?",
    re.IGNORECASE,
)
_MANY = "|".join(sorted(_TIMES, key=len, reverse=True))
_NUMBERS = re.compile(rf"({_NUMBER})(?:\s?({_MANY})(?![A-Za-z]))?", re.IGNORECASE)
_RUN = re.compile(r"\d+")
_LISTED = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+)?(?:\d{1,3}[.)][ \t]|\|[ \t]*\d{1,3}[ \t]*(?=\|))", re.MULTILINE)
"""Numbers of items, headings and rows."""
_APART = re.compile(r"['\u2019]")
_NARROW = re.compile(r"(?<=\d)[\u00a0\u202f](?=\d{3}(?!\d))")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_POINTS = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as it is written, its number, what that is multiplied with, and whether it is in hundredths."""

    written: str
    number: str
    times: float = 1.0
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """The numbers of all that was found: as they may be written, and their values in order."""

    written: frozenset[str]
    values: Sequence[float]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Known":
        """The numbers of some texts. Blocking."""
        found: set[tuple[str, str]] = set()
        for text in texts:
            stop_if_abandoned()
            found.update(_NUMBERS.findall(_folded(text)))
        forms = {form for number, _ in found for form in _forms(number)}
        values = {value * _TIMES.get(times.lower(), 1.0) for number, times in found for value in _values(number)}
        values.update(value for number, _ in found for value in _values(number))
        versions = (form.split(".") for form in forms if form.count(".") > 1)
        begun = {".".join(parts[:n]) for parts in versions for n in range(1, len(parts))}
        return cls(frozenset(forms | begun), sorted(values))

    def has(self, figure: Figure) -> bool:
        """Whether any text has the figure."""
        if not self.written.isdisjoint(_forms(figure.number)):
            return True
        scales = (figure.times, 0.01) if figure.percent else (figure.times,)
        return any(self._near(v * scale, step * scale) for v, step in _rounded(figure.number) for scale in scales)

    def _near(self, value: float, step: float) -> bool:
        """Whether a number would be rounded to that value."""
        low, high = (value - step / 2) * (1 - 1e-12), (value + step / 2) * (1 + 1e-12)
        at = bisect_left(self.values, low)
        return at < len(self.values) and self.values[at] <= high


def figures(text: str) -> Iterator[Figure]:
    """The figures in prose; numbers of list items, headings and rows are none."""
    for match in _FIGURE.finditer(_LISTED.sub("\n", _folded(text))):
        number, unit = match["number"], (match["unit"] or "").strip()
        if len(_RUN.findall(number)) > 1 or len(number) > 1 or unit or match["sign"]:
            percent = unit == "%" or unit.lower().startswith("per")
            yield Figure(match[0].strip(), number, _TIMES.get(unit.lower(), 1.0), percent)


def _folded(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", _NARROW.sub("'", text))


def _forms(number: str) -> Iterator[str]:
    """A number in the forms it is compared in: separators gone, and `3,5` as `3.5`; `007` is `7`, `30.0` is `30`."""
    text = _APART.sub("", number)
    read = {text.replace(",", ".")}
    if _THOUSANDS.fullmatch(text):
        read.add(text.replace(",", ""))
    if _POINTS.fullmatch(text):
        read.add(text.replace(".", "").replace(",", "."))
    for form in read:
        whole, point, rest = form.partition(".")
        rest = rest.rstrip("0") if point and rest.isdigit() else rest
        yield f"{whole.lstrip('0') or '0'}{f'.{rest}' if rest else ''}"


def _values(number: str) -> Iterator[float]:
    return (float(form) for form in _forms(number) if form.count(".") < 2 and len(form) < 16)


def _rounded(number: str) -> Iterator[tuple[float, float]]:
    """Its values, and how far apart two neighbours are that are written as exactly: 0.1 for 2.5, 100 for 1,200."""
    for form in _forms(number):
        whole, _, rest = form.partition(".")
        if "." in rest or len(form) >= 16:
            continue
        zeros = len(whole) - len(whole.rstrip("0"))
        step = 10.0 ** -len(rest) if rest else 10.0**zeros if len(whole) - zeros > 1 else 1.0
        yield float(form), step
