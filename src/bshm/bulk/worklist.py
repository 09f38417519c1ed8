"""The work list of a batch, on disk, so that a million pictures take no more memory than ten."""

from __future__ import annotations

import os
import pickle
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from bshm.bulk.items import Item
from bshm.errors import OutputExistsError

_PAGE = 1000


class WorkList:
    """Items in their order, each with its own output."""

    def __init__(self) -> None:
        # With an empty name, SQLite uses a private file that it deletes at the end.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(
            """
            PRAGMA journal_mode=OFF;
            PRAGMA synchronous=OFF;
            CREATE TABLE item (number INTEGER PRIMARY KEY, source TEXT, member TEXT, output TEXT, error BLOB,
                note TEXT);
            CREATE TABLE taken (output TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID;
            CREATE TABLE open (number INTEGER PRIMARY KEY);
            BEGIN;
            """
        )
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, item: Item) -> None:
        """Add an item; if its output is taken it gets an error, or a note if the same picture has that output."""
        if item.error is None:
            first = self._take(item)
            if first is not None and (first.source, first.member) == (item.source, item.member):
                item = replace(item, output="", note="it is named twice")
            elif first is not None:
                reason = (
                    f"the result would be {item.output}, which is the result of {first.name} already. Give one of the "
                    "two another name, in a manifest with a column 'output', or write them into different folders."
                )
                item = replace(item, output="", error=OutputExistsError(reason))
        error = None if item.error is None else pickle.dumps(item.error)
        row = (item.number, *map(_kept, (item.source, item.member, item.output)), error, item.note)
        self._db.execute("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?)", row)
        self._count += 1

    def items(self) -> Iterator[Item]:
        """All items, in their order; other methods may be called meanwhile."""
        return self._select("item.number > ? ORDER BY item.number")

    def leave_open(self, number: int) -> None:
        """Mark an item as open: it will be processed elsewhere."""
        self._db.execute("INSERT OR IGNORE INTO open VALUES (?)", (number,))

    def close_open(self, number: int) -> bool:
        """Mark an item as no longer open; False if it was not open."""
        return self._db.execute("DELETE FROM open WHERE number = ?", (number,)).rowcount == 1

    @property
    def still_open(self) -> int:
        """The number of open items."""
        (count,) = self._db.execute("SELECT COUNT(*) FROM open").fetchone()
        return int(count)

    def open_items(self) -> Iterator[Item]:
        """The open items, in their order."""
        return self._select("item.number > ? AND number IN (SELECT number FROM open) ORDER BY number")

    def get(self, number: int) -> Item:
        """One item."""
        return next(self._select("item.number > ? ORDER BY number", number - 1))

    def _select(self, where: str, after: int = -1) -> Iterator[Item]:
        while True:
            found = self._db.execute(f"SELECT * FROM item WHERE {where} LIMIT {_PAGE}", (after,)).fetchall()
            for number, *kept, error, note in found:
                source, member, output = map(_given, kept)
                problem = None if error is None else pickle.loads(error)
                yield Item(number, source or "", member, output or "", problem, note)
                after = number
            if len(found) < _PAGE:
                return

    def _take(self, item: Item) -> Item | None:
        """Claim an output; returns the item that has it if it is taken."""
        output = _kept(os.path.normcase(item.output))
        try:
            self._db.execute("INSERT INTO taken VALUES (?, ?)", (output, item.number))
        except sqlite3.IntegrityError:
            (number,) = self._db.execute("SELECT number FROM taken WHERE output = ?", (output,)).fetchone()
            return self.get(number)
        return None


def _kept(text: str | None) -> bytes | None:
    """A file name for SQLite, which refuses bytes that are not text."""
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _given(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "surrogateescape")
