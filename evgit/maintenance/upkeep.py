"""One gc as a repository has it: with its settings, and by itself where nobody waits for it.

What is moved, `gc` knows; what is dropped, `pruning`; when it pays, `due`.
"""

from __future__ import annotations

from collections.abc import Callable

from evgit.errors import EvgitError, Locked
from evgit.history.branches import Branches
from evgit.history.history import History
from evgit.maintenance import due
from evgit.maintenance.gc import GcReport, Progress, gc
from evgit.maintenance.pruning import prune
from evgit.storage.config import Config, span
from evgit.storage.layout import Layout

AT_ONCE = "now"


class Upkeep:
    """Keeps one repository small. `repository`: its id; `clock` gives instants."""

    def __init__(
        self,
        history: History,
        layout: Layout,
        branches: Branches,
        config: Config,
        *,
        repository: str,
        clock: Callable[[], int],
    ) -> None:
        self._history = history
        self._layout = layout
        self._branches = branches
        self._config = config
        self._repository = repository
        self._clock = clock

    def gc(
        self,
        *,
        aggressive: bool = False,
        keep: str | None = None,
        progress: Progress | None = None,
    ) -> GcReport:
        """Consolidate, forget operations that have expired, and drop what nothing leads to.

        `keep`: how long what nothing leads to stays; a span, or `now` for not at all. By default
        what `gc.prune` says. Raises InvalidInput, Locked, Damage.
        """
        keep = str(self._config.get("gc.prune")) if keep is None else keep
        kept_for = 0 if keep == AT_ONCE else span(keep)
        now = self._clock()
        length = span(self._config.get("operations.expire"))
        expired = None if length is None else now - length
        self._branches.expire_operations(expired)
        report = gc(
            self._history,
            self._layout,
            repository=self._repository,
            now=now,
            aggressive=aggressive,
            prune=lambda: prune(
                self._history, lambda: self._branches.kept(expired), now=now, keep=kept_for
            ),
            progress=progress,
        )
        due.forget_failure(self._layout)
        return report

    def gc_by_itself(self) -> GcReport | None:
        """The same where it pays; None where it does not, another is under way, or it failed.

        A failure is remembered: no other is begun by itself for a day.
        """
        wanted = self._config.get("gc.auto")
        objects = wanted if isinstance(wanted, int) else 0
        if not due.is_due(self._history, self._layout, objects, self._clock()):
            return None
        try:
            return self.gc()
        except Locked:
            return None
        except EvgitError as error:
            due.note_failure(self._layout, error, self._clock())
            return None
