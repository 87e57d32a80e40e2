"""Accounts in SQL: what is spent stands in a row without an owner, what a process holds in a row of its own.

A dead owner's row goes on counting as spent: nobody knows what became of its calls. All of it runs inside somebody's
transaction.
"""

from collections.abc import Iterator, Sequence

from fanfold_workers.accounts import Account, Amount, Full, Standing

from .rows import Rows

_ADD = """INSERT INTO accounts (name, owner, micros, tokens, calls) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (name, owner) DO UPDATE SET
    micros = micros + excluded.micros, tokens = tokens + excluded.tokens, calls = calls + excluded.calls"""


def reserve(rows: Rows, purse: Sequence[Account], worst: Amount) -> Full | None:
    """Hold the amount in every account, or in none if one would pass its limit."""
    for account in purse:
        total = sum((amount for _, amount in _amounts(rows, account.name)), start=Amount())
        if unit := (total + worst).over(account.limit):
            return Full(account, unit, standing(rows, account.name))
    for account in purse:
        _add(rows, account.name, rows.me, worst)
    return None


def settle(rows: Rows, purse: Sequence[Account], worst: Amount, cost: Amount) -> Amount:
    """Give back what was held, and charge the cost; what the first account has spent by then."""
    for account in purse:
        _add(rows, account.name, rows.me, Amount() - worst)
        _add(rows, account.name, "", cost)
        rows.connection.execute(
            "DELETE FROM accounts WHERE name = ? AND owner = ? AND micros = 0 AND tokens = 0 AND calls = 0",
            (account.name, rows.me),
        )
    first = _amounts(rows, purse[0].name) if purse else iter(())
    return next((amount for owner, amount in first if not owner), Amount())


def standing(rows: Rows, name: str) -> Standing:
    """What is spent, and what the living hold."""
    spent = held = Amount()
    for owner, amount in _amounts(rows, name):
        if owner and rows.is_living(owner):
            held += amount
        else:
            spent += amount
    return Standing(spent, held)


def charge(rows: Rows, owner: str) -> None:
    """What a dead owner held is spent."""
    held = rows.connection.execute(
        "SELECT name, micros, tokens, calls FROM accounts WHERE owner = ?", (owner,)
    ).fetchall()
    for name, micros, tokens, calls in held:
        _add(rows, name, "", Amount(micros, tokens, calls))
    rows.connection.execute("DELETE FROM accounts WHERE owner = ?", (owner,))


def _add(rows: Rows, name: str, owner: str, amount: Amount) -> None:
    rows.connection.execute(_ADD, (name, owner, amount.micros, amount.tokens, amount.calls))


def _amounts(rows: Rows, name: str) -> Iterator[tuple[str, Amount]]:
    query = "SELECT owner, micros, tokens, calls FROM accounts WHERE name = ?"
    for owner, micros, tokens, calls in rows.connection.execute(query, (name,)):
        yield owner, Amount(micros, tokens, calls)
