"""Everything that evgit raises on purpose, and the exit code that the command line gives it.

    EvgitError                  1  the request was understood and refused
    |- UsageError               2  the request makes no sense as it stands
    |- NotFound                 3  something that was named does not exist
    |  |- NotARepository
    |  |- UnknownRevision          (AmbiguousRevision: it names several things)
    |  `- UnknownObject
    |- Conflict                 4  what the caller believed is no longer so
    |  |- WrongExpectedRevision
    |  |- KeyReused
    |  |- AlreadyExists
    |  |- NotAFastForward
    |  `- LocalChanges             files edited by hand would be overwritten
    |- InvalidInput             5  what was given is malformed
    |  |- InvalidJSON
    |  |- InvalidName
    |  |- InvalidTime
    |  |- InvalidEvent
    |  |- InvalidObject            a commit, tag or block that breaks the format
    |  `- InvalidPath              a document path that must not become a file
    |- Damage                   6  stored bytes are not what they were
    |  `- DamagedObject
    |- Unavailable              7  the store can't serve now, or not this build of evgit
    |  |- Locked
    |  |- ReadOnly
    |  |- StorageFull
    |  |- NotADatabase
    |  |- UnsupportedFormat        made by a newer evgit, or by something else
    |  |- AccessDenied             the other side doesn't let this one in
    |  |- BehindBoundary           a shallow repository does not have what was asked for
    |  `- TransferInterrupted      the other side can't be reached, or fell silent
    `- ModelError               9  the model can't do what was asked
       |- InvalidModel             its files or declarations are wrong
       |- UntrustedModel           it came with data, and nobody has trusted it
       |- HandlerFailed            its code failed on an event or a document
       |- UnknownVersion           an event of a version or type that it does not know
       |- SchemaViolated           an event whose data its type's schema does not allow
       |- InvariantViolated        an event that breaks a rule of the model
       `- NotDeterministic         the same events gave two different states

This module knows nothing of the others. Every error carries a message (what happened, to which
object) and, where there is one, a hint (what to do next).
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this
if TYPE_CHECKING:
    from collections.abc import Sequence


class EvgitError(Exception):
    """Base of all errors raised on purpose. `hint` says what to do next; it may be empty."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(EvgitError):
    """The request makes no sense as it stands."""

    exit_code = 2


class NotFound(EvgitError):
    """Something that was named does not exist."""

    exit_code = 3


class NotARepository(NotFound):
    """No repository in this directory or any above it."""


class UnknownRevision(NotFound):
    """A revision expression that names nothing."""


class AmbiguousRevision(UnknownRevision):
    """An id prefix or name that fits several things."""


class UnknownObject(NotFound):
    """An id that no stored object has."""


class Conflict(EvgitError):
    """What the caller believed is no longer so."""

    exit_code = 4


class WrongExpectedRevision(Conflict):
    """A stream's last revision is not the expected one. Revisions: -1 means no such stream."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        def say(revision: int) -> str:
            return "none (no such stream)" if revision < 0 else str(revision)

        super().__init__(
            f"stream {stream!r} is at revision {say(actual)}, expected {say(expected)}",
            hint=f"read the stream again, decide again, then append with --expect "
            f"{'none' if actual < 0 else actual}",
        )
        self.stream = stream
        self.expected = expected
        self.actual = actual


class KeyReused(Conflict):
    """An idempotency key that its stream already has, on an event that says something else."""


class AlreadyExists(Conflict):
    """A branch, tag, repository or file that is already there."""


class NotAFastForward(Conflict):
    """A ref would move off the first-parent chain that its readers follow."""


class LocalChanges(Conflict):
    """Files edited by hand would be overwritten. `paths` names them."""

    def __init__(self, message: str, *, paths: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.paths = list(paths)


class InvalidInput(EvgitError):
    """What was given is malformed."""

    exit_code = 5


class InvalidJSON(InvalidInput):
    """Text that is not JSON, or JSON that has no canonical form here."""


class InvalidName(InvalidInput):
    """A stream, event type, branch, tag or ref name that breaks the rules."""


class InvalidTime(InvalidInput):
    """A time, or an expression for one, that can't be read."""


class InvalidEvent(InvalidInput):
    """An event that breaks the format. `line` is 1-based where it came from a file, else None."""

    def __init__(self, message: str, *, line: int | None = None, hint: str = "") -> None:
        super().__init__(message if line is None else f"line {line}: {message}", hint=hint)
        self.line = line


class InvalidObject(InvalidInput):
    """A commit, tag or block that breaks the format."""


class InvalidPath(InvalidInput):
    """A document path that must not become a file."""


class Damage(EvgitError):
    """Stored bytes are not what they were."""

    exit_code = 6


class DamagedObject(Damage):
    """An object can't be read back. `ids` are the object ids (or unique prefixes) that it hits."""

    def __init__(self, message: str, *, ids: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.ids = list(ids)


class Unavailable(EvgitError):
    """The store can't serve now."""

    exit_code = 7


class Locked(Unavailable):
    """Another process kept the database locked for longer than the timeout."""


class ReadOnly(Unavailable):
    """The database or its directory can't be written."""


class StorageFull(Unavailable):
    """No space left where the repository lives."""


class NotADatabase(Unavailable):
    """The file is not the database that it should be."""


class UnsupportedFormat(Unavailable):
    """Made by a newer evgit, or in a form that this build does not know."""


class AccessDenied(Unavailable):
    """The other side doesn't let this one in, or not do that."""


class BehindBoundary(Unavailable):
    """What was asked for lies behind a boundary of a shallow repository, and is not here."""


class TransferInterrupted(Unavailable):
    """The other side can't be reached, or fell silent in the middle. Trying again goes on."""


class ModelError(EvgitError):
    """The model can't do what was asked."""

    exit_code = 9


class InvalidModel(ModelError):
    """A model whose files or declarations are wrong. `file` and `line` (1-based) where known."""

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, hint: str = ""
    ) -> None:
        place = "" if file is None else f"{file}: " if line is None else f"{file}, line {line}: "
        super().__init__(place + message, hint=hint)
        self.file = file
        self.line = line


class UntrustedModel(ModelError):
    """A model that came with data, and that nobody has trusted."""


class HandlerFailed(ModelError):
    """A model's code failed. `event_id`, `position`, `path`, `file` and `line` where known."""

    def __init__(
        self,
        message: str,
        *,
        event_id: str | None = None,
        position: int | None = None,
        path: str | None = None,
        file: str | None = None,
        line: int | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.event_id = event_id
        self.position = position
        self.path = path
        self.file = file
        self.line = line


class UnknownVersion(ModelError):
    """An event of a version or, where the model is strict, a type that the model does not know."""


class SchemaViolated(ModelError):
    """Data that the schema of its type does not allow. `type` and `version`: of the schema, `file`:
    where that is; `pointer`: to what is wrong in the data, and `rule`: to what the schema says of
    it, both JSON pointers (RFC 6901)."""

    def __init__(
        self,
        message: str,
        *,
        type: str = "",  # noqa: A002
        version: int = 0,
        file: str = "",
        pointer: str = "",
        rule: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.type = type
        self.version = version
        self.file = file
        self.pointer = pointer
        self.rule = rule


class InvariantViolated(ModelError):
    """An event that breaks a rule of the model. `name` of the rule, `path` of the document, or
    None; `position` of the event that broke it, where it is in the log."""

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        path: str | None = None,
        position: int | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.path = path
        self.position = position


class NotDeterministic(ModelError):
    """The same events gave two different states."""
