"""Fetch and unpack the source archives of 50 widely used packages: real repositories to audit.

    python benchmarks/fetch_archives.py [--into DIR] [--count 50]

Archives come from the index that pip is configured to use, by file address and hash. They are only unpacked,
never built or imported, into DIR/<name>-<version>/. What is there already is kept.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.error import URLError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion, Version

INTO = Path(__file__).parent / "data" / "repos"
MAX_ARCHIVE_BYTES = 40 * 2**20
MAX_UNPACKED_BYTES = 600 * 2**20
MAX_PAGE_BYTES = 64 * 2**20
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

# The versions are those the figures in the README were measured on; one that is not served gives way to the
# newest. The last few, unpinned, stand in for any that the index does not have.
PACKAGES = """
requests==2.34.2 urllib3==2.8.0 flask==3.1.3 django==6.1.3 numpy==2.5.5 pandas==3.1.1 scikit-learn==1.9.1
pytest==9.2.0 black==26.10.1 click==8.5.1 jinja2==3.1.6 celery==5.7.0 boto3==1.44.5 botocore==1.44.5
sqlalchemy==2.1.9 aiohttp==3.14.5 httpx==0.28.1 fastapi==0.165.0 pydantic==2.14.3 werkzeug==3.1.9
starlette==1.10.0 uvicorn==0.54.0 gunicorn==27.0.1 tornado==6.6.1 twisted==26.10.0 scrapy==2.19.0
matplotlib==3.11.2 networkx==3.7 sphinx==9.2.0 mypy==2.4.1 pylint==4.1.4 setuptools==84.2.1
virtualenv==21.15.8 tox==4.67.15 ansible-core==2.21.5 paramiko==5.1.0 cryptography==50.0.2 pyjwt==2.15.1
redis==8.1.0 pymongo==4.20.0 alembic==1.20.1 rich==15.0.0 tqdm==4.70.1 dask==2026.8.0 ipython==9.18.1
bokeh==3.10.2 kombu==5.7.0 docker==7.2.0 moto==5.2.5 fabric==3.2.3 google-auth httpie jupyter-server openai
marshmallow attrs
"""


@dataclass(frozen=True)
class Archive:
    """A source archive on the index: where it is, and the sha256 it must have."""

    name: str
    version: Version
    url: str
    sha256: str

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"


@dataclass(frozen=True)
class Index:
    """The index pip is configured to use: its address and the certificates to trust."""

    url: str
    context: ssl.SSLContext

    def get(self, url: str, limit: int, accept: str = "*/*") -> tuple[bytes, str]:
        """The body at an address, at most `limit` bytes, and its content type."""
        parts = urlsplit(url)
        headers = {"Accept": accept, "User-Agent": "fanfold-benchmarks"}
        if parts.username:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
            url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        with urlopen(Request(url, headers=headers), timeout=120, context=self.context) as answer:
            body = answer.read(limit + 1)
            if len(body) > limit:
                raise ValueError(f"over {limit // 2**20} MB")
            return body, answer.headers.get("Content-Type", "")


def configured_index() -> Index:
    """What pip says of itself: `pip download --help` shows the index in force, `pip config` the certificates."""
    text = re.sub(r"\s+", " ", _pip("download", "--help"))
    found = re.search(r"--index-url <url> .*?\(default:? (\S+?)\)", text)
    if not found:
        sys.exit("pip does not say which index it uses. Set one with `pip config set global.index-url`.")
    settings = dict(re.findall(r"^(\S+?)='(.*)'$", _pip("config", "list"), re.MULTILINE))
    cert = settings.get(":env:.cert") or settings.get("global.cert")
    return Index(found[1].rstrip("/") + "/", ssl.create_default_context(cafile=cert))


def _pip(*arguments: str) -> str:
    """The answer of the first pip there is: this environment's (one made by uv has none), or the system's."""
    for command in ([sys.executable, "-m", "pip"], ["pip"], ["pip3"]):
        if not shutil.which(command[0]):
            continue
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "500"}
        )
        if done.returncode == 0:
            return done.stdout
    sys.exit("pip is needed to learn which index is configured. Install it with `python -m ensurepip`.")


class _Links(HTMLParser):
    """Collects (file name, address) of every link on a simple index page that was not yanked."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and (href := given.get("href")) and "data-yanked" not in given:
            self.found.append((unquote(urlsplit(href).path.rsplit("/", 1)[-1]), href))


def archives_of(index: Index, name: str) -> list[Archive]:
    """The source archives of a package that are not yanked and carry a sha256, oldest first."""
    page = urljoin(index.url, f"{canonicalize_name(name)}/")
    body, kind = index.get(page, MAX_PAGE_BYTES, ACCEPT)
    files = _from_json(body) if "json" in kind else _from_html(body)
    found: list[Archive] = []
    for filename, href, sha256 in files:
        try:
            version = parse_sdist_filename(filename)[1]
        except (InvalidSdistFilename, InvalidVersion):
            continue
        if sha256:
            found.append(Archive(name, version, urljoin(page, href), sha256))
    return sorted(found, key=lambda archive: archive.version)


def _from_json(body: bytes) -> Iterator[tuple[str, str, str]]:
    for file in json.loads(body)["files"]:
        if not file.get("yanked"):
            yield file["filename"], file["url"], file.get("hashes", {}).get("sha256", "")


def _from_html(body: bytes) -> Iterator[tuple[str, str, str]]:
    links = _Links()
    links.feed(body.decode("utf-8", "replace"))
    for filename, href in links.found:
        address, _, fragment = href.partition("#")
        yield filename, address, fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""


def chosen(archives: list[Archive], wanted: str) -> Archive | None:
    """The wanted version, else the newest that is no pre-release."""
    final = [a for a in archives if not a.version.is_prerelease]
    exact = [a for a in archives if str(a.version) == wanted]
    return (exact or final[-1:] or [None])[0]


def unpack(archive: Archive, body: bytes, into: Path) -> Path:
    """Unpack into a folder of its own, which appears only once all of it is there."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as spare:
        inside = Path(spare) / "unpacked"
        if archive.url.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(body)) as bundle:
                _bounded(sum(member.file_size for member in bundle.infolist()))
                bundle.extractall(inside)
        else:
            with tarfile.open(fileobj=io.BytesIO(body), mode="r:*") as bundle:
                _bounded(sum(member.size for member in bundle))
                bundle.extractall(inside, filter="data")
        tops = list(inside.iterdir())
        whole = tops[0] if len(tops) == 1 and tops[0].is_dir() else inside
        return whole.rename(into / archive.folder)


def _bounded(size: int) -> None:
    if size > MAX_UNPACKED_BYTES:
        raise ValueError(f"unpacks to over {MAX_UNPACKED_BYTES // 2**20} MB")


def fetch(index: Index, wanted: str, into: Path) -> str:
    """Fetch, check and unpack one package; says what came of it."""
    name, _, version = wanted.partition("==")
    if version and (into / f"{name}-{version}").is_dir():
        return f"{name}-{version}: there already"
    archive = chosen(archives_of(index, name), version)
    if archive is None:
        raise ValueError("no source archive with a sha256 is served")
    if (into / archive.folder).is_dir():
        return f"{archive.folder}: there already"
    body, _ = index.get(archive.url, MAX_ARCHIVE_BYTES)
    if hashlib.sha256(body).hexdigest() != archive.sha256:
        raise ValueError("its sha256 is not the one the index states")
    unpack(archive, body, into)
    return f"{archive.folder}: {len(body) / 2**20:.1f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=INTO, help="where to unpack (default: benchmarks/data/repos)")
    parser.add_argument("--count", type=int, default=50, help="how many packages (default: 50)")
    given = parser.parse_args()
    index, start, kept = configured_index(), time.monotonic(), 0
    for package in PACKAGES.split():
        if kept >= given.count:
            break
        try:
            print(fetch(index, package, given.into), flush=True)
            kept += 1
        except (ValueError, KeyError, URLError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            print(f"{package}: left out: {error}", file=sys.stderr, flush=True)
    print(f"{kept} packages in {given.into} after {time.monotonic() - start:.0f} s")
    sys.exit(0 if kept >= given.count else 1)


if __name__ == "__main__":
    main()
