"""How good a source is by whose it is, as far as its address tells: a list by domain, which a person may override.

```
primary    1.0   who made it or decided it says so itself: a maker's documentation, a standard, a law, code, a journal
secondary  0.85  tells what others said and answers for it: newspapers, encyclopedias, textbooks
unknown    0.75  every domain that is not listed: most of the web, which is no worse than its quotes prove it
forum      0.6   anyone may write there and nobody answers for it: often right, seldom checked, soon outdated
farm       0.3   copies others, without saying whom, for search engines: agreement with it is no second opinion
```

The factors are coarse on purpose: apart enough that the maker's page outweighs a forum's where they disagree, and
near enough that a quote which stands in a forum (1 x 0.6) outweighs one altered from the maker's page (0.5 x 1).

A source that is no address (a file of a root, a tool's answer, a worker's prose) is taken as it is, at 1.0: it was
looked at itself, and whether what it is quoted for stands there, the verdict says.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

Quality = Literal["primary", "secondary", "unknown", "forum", "farm"]

FACTORS: Mapping[str, float] = {"primary": 1.0, "secondary": 0.85, "unknown": 0.75, "forum": 0.6, "farm": 0.3}

_LISTED: Mapping[Quality, str] = {
    "primary": """
        gov mil int edu.au gov.uk gov.au gc.ca gouv.fr bundesregierung.de gesetze-im-internet.de admin.ch go.jp
        go.kr gov.in gov.br europa.eu un.org oecd.org w3.org whatwg.org ietf.org rfc-editor.org iana.org iso.org
        iec.ch itu.int ieee.org unicode.org ecma-international.org tc39.es oasis-open.org khronos.org opengroup.org
        etsi.org 3gpp.org owasp.org mitre.org cve.org osv.dev github.com raw.githubusercontent.com gitlab.com
        codeberg.org bitbucket.org sr.ht git.kernel.org git.savannah.gnu.org gitlab.gnome.org invent.kde.org
        salsa.debian.org android.googlesource.com python.org pypi.org docs.rs crates.io rust-lang.org go.dev
        golang.org pkg.go.dev npmjs.com nodejs.org ruby-lang.org rubygems.org php.net packagist.org perl.org
        metacpan.org openjdk.org haskell.org swift.org kotlinlang.org typescriptlang.org scala-lang.org
        elixir-lang.org hexdocs.pm cppreference.com gnu.org llvm.org readthedocs.io readthedocs.org kernel.org
        debian.org ubuntu.com archlinux.org freebsd.org openbsd.org fedoraproject.org redhat.com apache.org
        nginx.org postgresql.org mysql.com mariadb.org sqlite.org redis.io mongodb.com elastic.co kubernetes.io
        docker.com cncf.io opentelemetry.io prometheus.io terraform.io hashicorp.com djangoproject.com
        palletsprojects.com numpy.org scipy.org pydata.org pytorch.org tensorflow.org scikit-learn.org jupyter.org
        huggingface.co react.dev vuejs.org angular.dev developer.mozilla.org mozilla.org chromium.org webkit.org
        developer.chrome.com web.dev developers.google.com cloud.google.com developer.android.com
        developer.apple.com learn.microsoft.com docs.microsoft.com docs.aws.amazon.com docs.oracle.com
        docs.github.com docs.gitlab.com developers.cloudflare.com docs.anthropic.com docs.claude.com
        platform.openai.com modelcontextprotocol.io stripe.com developer.nvidia.com docs.nvidia.com intel.com
        arm.com openssl.org letsencrypt.org doi.org arxiv.org biorxiv.org medrxiv.org nature.com science.org
        pnas.org plos.org cell.com thelancet.com nejm.org bmj.com jamanetwork.com sciencedirect.com springer.com
        wiley.com tandfonline.com oup.com cambridge.org jstor.org acm.org aps.org rsc.org mdpi.com frontiersin.org
        usenix.org aclanthology.org jmlr.org neurips.cc openreview.net europepmc.org cochranelibrary.com
    """,
    "secondary": """
        edu ac.uk wikipedia.org wikimedia.org britannica.com reuters.com apnews.com afp.com bbc.co.uk bbc.com
        nytimes.com washingtonpost.com wsj.com ft.com economist.com bloomberg.com theguardian.com lemonde.fr
        spiegel.de faz.net zeit.de elpais.com nzz.ch npr.org pbs.org theatlantic.com propublica.org politico.com
        cnbc.com forbes.com arstechnica.com wired.com theverge.com theregister.com techcrunch.com zdnet.com heise.de
        lwn.net phoronix.com infoq.com realpython.com oreilly.com martinfowler.com smashingmagazine.com
        css-tricks.com ourworldindata.org statista.com gartner.com investopedia.com mayoclinic.org
        quantamagazine.org scientificamerican.com newscientist.com
    """,
    "forum": """
        stackoverflow.com stackexchange.com serverfault.com superuser.com askubuntu.com mathoverflow.net reddit.com
        news.ycombinator.com lobste.rs quora.com zhihu.com csdn.net medium.com dev.to hashnode.dev substack.com
        blogspot.com wordpress.com tumblr.com livejournal.com x.com twitter.com facebook.com linkedin.com
        instagram.com threads.net bsky.app mastodon.social youtube.com tiktok.com discord.com t.me telegram.org
        groups.google.com gist.github.com discuss.python.org discourse.org users.rust-lang.org answers.microsoft.com
        discussions.apple.com community.openai.com lists.debian.org mail.python.org
    """,
    "farm": """
        answers.com ehow.com hubpages.com ezinearticles.com copyprogramming.com programcreek.com stackoom.com
        newbedev.com exchangetuts.com itecnote.com appsloveworld.com
    """,
}
BY_DOMAIN: Mapping[str, Quality] = {domain: quality for quality, those in _LISTED.items() for domain in those.split()}
"""By domain; it holds for all below it, unless one of these is listed itself."""

_TALK = re.compile(r"^/[^/]+/[^/]+/(?:-/)?(?:issues|discussions|pull|merge_requests)(?:/|$)")
"""What anyone may write on hosts of code."""
_HOSTS = frozenset({"github.com", "gitlab.com", "codeberg.org", "bitbucket.org"})


def quality_of(source: str, own: Mapping[str, str] | None = None) -> str:
    """The class of a source: that of the longest domain listed which it is at or below; `own` goes before the list.

    A domain counts by whole labels from the right, as names are given out: `python.org.example.com` is at
    `example.com`. What is no http(s) address is primary.
    """
    host, path = _address(source)
    if host is None:
        return "primary"
    domains = list(_above(host))
    if mine := next((own[domain] for domain in domains if domain in own), None) if own else None:
        return mine
    listed = next(((domain, BY_DOMAIN[domain]) for domain in domains if domain in BY_DOMAIN), None)
    if listed and listed[0] in _HOSTS and _TALK.match(path):
        return "forum"
    return listed[1] if listed else "unknown"


def factor(source: str, own: Mapping[str, str] | None = None) -> float:
    """What a quote of that source counts, 0 to 1."""
    return FACTORS[quality_of(source, own)]


@lru_cache(maxsize=4096)
def _address(source: str) -> tuple[str | None, str]:
    """Host in lower case and path of an address, "" for a host that cannot be read; None for what is no address."""
    if not source.strip().lower().startswith(("http://", "https://")):
        return None, ""
    try:
        parts = urlsplit(source.strip())
        return (parts.hostname or "").rstrip("."), parts.path
    except ValueError:
        return "", ""


def _above(host: str) -> Iterator[str]:
    """The host and each domain it is below, the longest first."""
    labels = host.split(".")
    return (".".join(labels[n:]) for n in range(len(labels)))
