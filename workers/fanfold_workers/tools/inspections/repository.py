"""The manifests that belong to one repository, and which of them are installed together."""

import re
from dataclasses import dataclass, field

from fanfold_workers.tools.files import split_place

from .declared import Manifest
from .manifests import LOCKS, UnreadableError, parsed, parser_of
from .survey import Project, Survey, setting_of

_FOREIGN = re.compile(
    r"(?:^|/)(?:_?vendor(?:ed|s)?|third_?party|extern(?:al|als)?|subprojects|bundled|_?static|node_modules|site-packages)/"
)
_TEST_DATA = re.compile(r"(?:^|/)(?:fixtures?|data|testdata|targets|resources|samples?|projects|packages|roots)/")


@dataclass(slots=True)
class Repository:
    """The manifests of one project that are its own."""

    place: str
    manifests: list[Manifest] = field(default_factory=list[Manifest])
    _units: dict[str, str] = field(default_factory=dict[str, str])
    _locks: dict[tuple[str, str], list[Manifest]] = field(default_factory=dict[tuple[str, str], list[Manifest]])

    def path(self, place: str) -> str:
        """The path of a manifest below the project's top folder."""
        return split_place(place)[1].removeprefix(split_place(self.place)[1]).strip("/")

    def folder(self, place: str) -> str:
        """The folder a manifest stands in, below the project's own; "" for its top."""
        return self.path(place).rpartition("/")[0]

    def unit(self, place: str) -> str:
        """The folder of the nearest package at or above a manifest: what is declared in it is installed together."""
        if place not in self._units:
            tops = {self.folder(m.page.place) for m in self.manifests if m.packaged}
            folder = self.folder(place)
            while folder and folder not in tops:
                folder = folder.rpartition("/")[0]
            self._units[place] = folder
        return self._units[place]

    def locks(self, place: str, system: str) -> list[Manifest]:
        """The lock files of a system that stand at or above a manifest."""
        if (place, system) not in self._locks:
            below = f"/{self.folder(place)}/"
            found = [m for m in self.manifests if LOCKS.get(file_name(m)) == system]
            above = [m for m in found if below.startswith(f"/{self.folder(m.page.place)}".rstrip("/") + "/")]
            self._locks[place, system] = above
        return self._locks[place, system]


def read(survey: Survey, project: Project, gaps: list[str]) -> Repository:
    """Every manifest of a project that is its own; what was left out goes to the gaps."""
    repository = Repository(project.place)
    named = [d for d in project.documents if parser_of(project.inside(d.place))]
    own = [d for d in named if _is_own(project.inside(d.place))]
    if len(own) < len(named):
        gaps.append(f"{len(named) - len(own)} manifests among tests, examples or vendored code were not judged.")
    for page in survey.pages(own):
        try:
            manifest = parsed(page, project.inside(page.place))
        except UnreadableError as error:
            survey.unread("malformed")
            gaps.append(f"{page.place} is malformed and was not judged: {error}.")
            continue
        if manifest.prose:
            survey.dismiss()
            gaps.append(f"{page.place} is called like a list of requirements but reads as none.")
            continue
        if manifest.unclear:
            gaps.append(
                f"{page.place}: {manifest.unclear} entries are computed, malformed or too many, and were not judged."
            )
        repository.manifests.append(manifest)
    return repository


def _is_own(path: str) -> bool:
    """Whether a manifest is the repository's, not vendored, nor material of a test or an example."""
    if _FOREIGN.search(path.lower()):
        return False
    setting = setting_of(path.rpartition("/")[0] + "/") if "/" in path else ""
    if not setting or setting == "in documentation":
        return True
    lists = path.endswith((".txt", ".in")) and path.count("/") <= 2 and setting == "in a test fixture"
    return lists and not _TEST_DATA.search(path.lower())


def file_name(manifest: Manifest) -> str:
    """The name of its file, in small letters."""
    return manifest.page.place.rpartition("/")[2].rpartition(":")[2].lower()
