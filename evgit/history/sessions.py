"""What a command that is run in several steps remembers between them, as small JSON values.

It must survive restarts and a lost cache, so it stands in the database's settings. This module
does not know what is remembered.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from evgit.storage import database

_PREFIX = "session."


class Sessions:
    """Named JSON values of one repository."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def load(self, name: str) -> Any:
        """The value of that name, or None."""
        text = database.setting(self._connection, _PREFIX + name)
        return None if text is None else msgspec.json.decode(text)

    def save(self, name: str, value: object) -> None:
        """Keep a value durably under a name, over what was there."""
        with database.writing(self._connection):
            text = msgspec.json.encode(value).decode("utf-8")
            database.set_setting(self._connection, _PREFIX + name, text)

    def clear(self, name: str) -> None:
        """Forget a name."""
        with database.writing(self._connection):
            self._connection.execute("DELETE FROM settings WHERE name=?", (_PREFIX + name,))
