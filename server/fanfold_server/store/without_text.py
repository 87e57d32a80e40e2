"""A Journal that keeps no text of files: only what was claimed of them, where, and whether the quotes stood.

```
r-…/turns/…, r-…/calls/…     not recorded: replies of models, answers of tools,
r-…/closing/…                and what was decided along the way
r-…/notes/…, r-…/results/…   without quotes, those in claims among them; a claim that is a sentence of its file
                             gives way to its place
r-…/events/…                 without claims
reports/s-…                  without quotes
```

Everything else is kept, prose of workers and submissions among it: it is theirs, not a file's.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from fanfold_workers.accounts import Account, Amount, Full, Standing
from fanfold_workers.contract import UNKEPT, Verdict
from fanfold_workers.errors import InputError
from fanfold_workers.journal import Claim, Entry, Journal, Mine, check_text

Json: TypeAlias = str | float | bool | list["Json"] | dict[str, "Json"] | None
Object: TypeAlias = dict[str, Json]

_UNRECORDED = re.compile(r"r-[^/]+/(turns|calls|closing)/")
_FOUND = re.compile(r"r-[^/]+/(notes|results)/")
_REPORT = re.compile(r"reports/")
_EVENTS = re.compile(r"r-[^/]+/events/")
_STANDING = frozenset({Verdict.verified, Verdict.moved})
_QUOTATION = re.compile(r"""(["\u201c])([^"\u201c\u201d]+)(["\u201d]|$)""")
_WORDLESS = re.compile(r"[\W_]+")
_PASSAGE = "passages."
"""The kind of a finding whose claim is what a file says."""
MIN_SENTENCE_CHARS = 20
"""Letters and digits of a claim from which it may be a sentence of a file; less is a name or a value."""
MAX_CLAIM_CHARS = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class WithoutText:
    """Hands all on to a journal, without text of files. A worker that was killed has nothing to go on from.

    What was recorded with quotes before is read without them, so that no later record repeats them.

    Attributes:
        journal: what it is handed on to.
    """

    journal: Journal

    async def claim(self, key: str, /, *, past: str = "") -> Claim:
        """See Journal. What is not recorded may have been there: nobody knows."""
        claim = await self.journal.claim(key, past=past)
        return replace(claim, past=True) if isinstance(claim, Mine) and _UNRECORDED.match(past) else claim

    async def release(self, mine: Mine, /) -> None:
        """See Journal."""
        await self.journal.release(mine)

    async def record(self, key: str, value: str, /) -> bool:
        """See Journal. True for what is not recorded, too.

        Raises:
            InputError: if findings or a report are no JSON: what cannot be read may hold anything.
        """
        if not _UNRECORDED.match(key):
            return await self.journal.record(key, _bare(key, value))
        check_text("key", key)
        check_text("value", value)
        await self.journal.record_all({})
        return True

    async def record_all(self, records: Mapping[str, str], /) -> None:
        """See Journal."""
        await self.journal.record_all(_kept(records))

    async def reserve(self, purse: Sequence[Account], worst: Amount, /) -> Full | None:
        """See Accounts."""
        return await self.journal.reserve(purse, worst)

    async def settle(
        self, purse: Sequence[Account], worst: Amount, cost: Amount, records: Mapping[str, str], /
    ) -> Amount:
        """See Accounts. The cost is settled whatever becomes of the records."""
        return await self.journal.settle(purse, worst, cost, _kept(records))

    async def standing(self, name: str, /) -> Standing:
        """See Accounts."""
        return await self.journal.standing(name)

    async def recall(self, key: str, /) -> str | None:
        """See Journal."""
        value = await self.journal.recall(key)
        return _bare(key, value) if value and _FOUND.match(key) else value

    async def entries(self, prefix: str, /, *, newest: int | None = None, keys_only: bool = False) -> list[Entry]:
        """See Journal."""
        entries = await self.journal.entries(prefix, newest=newest, keys_only=keys_only)
        return [_read(entry) for entry in entries]


def _read(entry: Entry) -> Entry:
    return replace(entry, value=_bare(entry.key, entry.value)) if entry.value and _FOUND.match(entry.key) else entry


def _kept(records: Mapping[str, str]) -> dict[str, str]:
    return {key: _bare(key, value) for key, value in records.items() if not _UNRECORDED.match(key)}


def _bare(key: str, value: str) -> str:
    """The value as it may be written under the key."""
    if _EVENTS.match(key):
        return _rewritten(key, value, _without_claims)
    if _FOUND.match(key) or _REPORT.match(key):
        return _rewritten(key, value, _without_quotes)
    return value


def _rewritten(key: str, value: str, rewrite: Callable[[Json], Json]) -> str:
    try:
        parsed: Json = json.loads(value)
    except ValueError as error:
        msg = (
            f"What was to be recorded under {key[:200]} is no JSON, and without it no text of files can be kept out."
        )
        raise InputError(msg, field="value", remedy="Record JSON, or set keep_text.") from error
    bare = rewrite(parsed)
    return value if bare == parsed else json.dumps(bare, ensure_ascii=False, separators=(",", ":"))


def _without_quotes(value: Json) -> Json:
    """The same with no quote in any evidence in it, and no claim that repeats one."""
    if isinstance(value, list):
        return [_without_quotes(one) for one in value]
    if not isinstance(value, dict):
        return value
    bare = {name: _without_quotes(one) for name, one in value.items()}
    if _is_evidence(value) and not _is_prose(value):
        bare |= {name: UNKEPT for name in ("quote", "actual") if value.get(name)}
    evidence = value.get("evidence")
    if isinstance(value.get("claim"), str) and isinstance(evidence, list):
        bare["claim"] = _claim(value, [one for one in evidence if isinstance(one, dict) and _is_evidence(one)])
    return bare


def _is_evidence(fields: Object) -> bool:
    return fields.keys() >= {"source", "quote", "verdict"}


def _is_prose(evidence: Object) -> bool:
    """Whether it quotes prose that is kept anyway."""
    return str(evidence["source"]).startswith("text:") and evidence["verdict"] in _STANDING


def _claim(finding: Object, evidence: list[Object]) -> str:
    """The claim without what it quotes, or where it can be read if all of it is what a file says."""
    if evidence and all(map(_is_prose, evidence)):
        return str(finding["claim"])
    claim = _QUOTATION.sub(_unquoted, str(finding["claim"]))
    quoted = [one for one in evidence if one["quote"] not in ("", UNKEPT) and not _is_prose(one)]
    if not quoted:
        return claim
    letters = _letters(claim)
    repeats = len(letters) >= MIN_SENTENCE_CHARS and any(letters in _letters(str(one["quote"])) for one in quoted)
    if not (repeats or str(finding.get("kind", "")).startswith(_PASSAGE)):
        return claim
    return f"{UNKEPT} {quoted[0]['source']} {quoted[0].get('locator', '')}".strip()[:MAX_CLAIM_CHARS]


def _unquoted(match: re.Match[str]) -> str:
    return f"{match[1]}{UNKEPT}{match[3]}" if len(_letters(match[2])) >= MIN_SENTENCE_CHARS else match[0]


def _letters(text: str) -> str:
    """What is left of a text for comparison: no white space, no markup, no ellipsis."""
    return _WORDLESS.sub("", text).casefold()


def _without_claims(events: Json) -> Json:
    """Events without what was claimed: some claims are sentences of files, and no quote stands by to tell which."""
    return [_event(one) if isinstance(one, dict) else one for one in events] if isinstance(events, list) else events


def _event(event: Object) -> Object:
    """One of `{"kind": "found", "note": claim, "findings": [[id, severity, confidence, subject, claim], …], …}`."""
    bare = dict(event)
    if event.get("kind") == "found" and event.get("note"):
        bare["note"] = UNKEPT
    if isinstance(rows := event.get("findings"), list):
        bare["findings"] = [[*row[:4], UNKEPT] if isinstance(row, list) else row for row in rows]
    return bare
