"""What others may do to the refs of a repository: its settings `receive.PATTERN.…`.

They are read from the repository's own file alone: nobody's personal settings loosen them. It must
not know who is who, nor what events mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Protocol

from evgit.errors import EvgitError, InvalidInput
from evgit.history.commit_row import CommitRow
from evgit.history.heads import HEADS
from evgit.storage.config import RECEIVE, VERIFY, Config
from evgit.storage.config_file import Value, join_key

ANYBODY = "*"


class Setting(NamedTuple):
    """One setting of one pattern. `pattern`: of full ref names; `written`: as the file has it."""

    pattern: str
    written: str
    name: str
    value: Value

    @property
    def key(self) -> str:
        """As `evgit config` takes it."""
        return join_key(RECEIVE, self.written, self.name)


class Rules:
    """The rules of one repository; without settings, the defaults: nothing published changes."""

    def __init__(self, settings: Sequence[Setting] = ()) -> None:
        self._settings = settings

    def of(self, ref: str) -> RefRules:
        """The rules for a ref, by its full name.

        Of several patterns that match, the one with the most letters counts, for each setting.
        """
        found: dict[str, Setting] = {}
        for setting in sorted(self._settings, key=_weight):
            if fnmatchcase(ref, setting.pattern):
                found[setting.name] = setting
        return RefRules(ref, found)


class RefRules:
    """The rules for one ref."""

    def __init__(self, ref: str, found: dict[str, Setting]) -> None:
        self._ref = ref
        self._found = found

    def key(self, name: str) -> str:
        """The setting that decides on something, as `evgit config` takes it."""
        if name in self._found:
            return self._found[name].key
        return join_key(RECEIVE, self._ref.removeprefix(HEADS), name)

    @property
    def allow_rewind(self) -> bool:
        """May a branch leave its first-parent chain, or a tag move?"""
        return self._value("allow_rewind") is True

    @property
    def allow_deletion(self) -> bool:
        """May it be deleted?"""
        return self._value("allow_deletion") is True

    @property
    def verify(self) -> str:
        """One of `VERIFY`: when pushed events are held to the model that the branch has here."""
        return str(self._value("verify") or VERIFY[0])

    def writes(self, name: str) -> bool:
        """May somebody of this name move it?"""
        return self._names("writers", name)

    def changes_model(self, name: str) -> bool:
        """May somebody of this name push events of the model to it?"""
        return self._names("model_writers", name)

    def _value(self, name: str) -> Value | None:
        return self._found[name].value if name in self._found else None

    def _names(self, setting: str, name: str) -> bool:
        value = self._value(setting)
        if value is None:
            return True
        return any(fnmatchcase(name, pattern) for pattern in _words(str(value)))


class Judge(Protocol):
    """Holds pushed events to the model that is here. It runs that one alone, and only if it is
    trusted."""

    def prepare(self, base: CommitRow, *, must: bool) -> None:
        """Make ready for `refuse_broken`, as long as no lock is held."""

    def model_event(self, base: CommitRow, row: CommitRow) -> tuple[str, int] | None:
        """(id, position) of the first event of `row`'s log after that of `base` that changes the
        model; None for none."""

    def refuse_broken(self, base: CommitRow, row: CommitRow, *, must: bool) -> None:
        """Raise ModelError for the first event of `row`'s log after that of `base` that the model
        at `base` does not take. `must`: also where it is not trusted."""


def read_rules(config: Config) -> Rules:
    """The rules that a repository's settings make. `config` is to be without the user's file.

    Raises InvalidInput for a setting that makes no sense: a rule that was mistyped must not let
    through what it was to keep out.
    """
    try:
        return Rules(list(_settings(config)))
    except EvgitError as error:
        raise InvalidInput(
            f"the settings of the repository to push to are wrong, so nothing may be pushed: "
            f"{config.without_path(error.message)}",
            hint="its owner must correct them there: evgit config --list",
        ) from None


def _settings(config: Config) -> Iterable[Setting]:
    for setting in config.settings():
        parts = setting.parts
        if parts[0] != RECEIVE:
            continue
        if len(parts) != 3 or not config.is_known(setting.key):
            raise InvalidInput(f"there is no setting {setting.key}")
        written, name = parts[1], parts[2]
        if name.endswith("writers") and str(setting.value).startswith("["):
            raise InvalidInput(f'{setting.key} must be a text such as "ada, till-*", not a list')
        pattern = written if written.startswith("refs/") else HEADS + written
        yield Setting(pattern, written, name, setting.value)


def _words(value: str) -> list[str]:
    return [word for word in value.replace(",", " ").split() if word]


def _weight(setting: Setting) -> tuple[bool, int, str]:
    plain = not any(c in setting.pattern for c in "*?[")
    return plain, sum(c not in "*?[]" for c in setting.pattern), setting.pattern
