"""What becomes of the refs of a push: each may move as the rules say, or the whole push is refused.

It must not know how what is pushed came here, nor what a model is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from evgit.errors import AccessDenied, Conflict, ModelError, NotAFastForward
from evgit.history.commit_row import CommitRow
from evgit.history.heads import HEADS, TAGS
from evgit.storage.operations import RefChange
from evgit.sync.messages import Update
from evgit.sync.outgoing import parting
from evgit.sync.rules import Judge, RefRules, Rules
from evgit.sync.store import Store

NAMED_COMMITS = 5


class Gate:
    """Decides on the updates of one push, by somebody of a name. `judge` is called before and after
    what is pushed came: what holds events to the model, if there is one then."""

    def __init__(
        self, store: Store, rules: Rules, name: str, judge: Callable[[], Judge | None]
    ) -> None:
        self._store = store
        self._rules = rules
        self._name = name
        self._judge = judge

    def prepare(self, updates: Iterable[Update]) -> None:
        """Refuse what can be known before anything came, and make ready. Raises AccessDenied,
        ModelError."""
        judge = self._judge()
        for update in updates:
            rules = self._rules.of(update.ref)
            if not rules.writes(self._name):
                raise AccessDenied(
                    f"{_short(update.ref)}: {self._who} not among those who may push to it "
                    f"({rules.key('writers')})",
                    hint="push to a branch of your own, or ask the owner of the repository",
                )
            base = self._store.row(update.old) if update.old else None
            if self._is_judged(update, rules) and base is not None and judge is not None:
                with _told(update.ref, rules):
                    judge.prepare(base, must=rules.verify == "always")

    @property
    def _who(self) -> str:
        return f"{self._name!r} is" if self._name else "you are"

    def change(self, update: Update) -> RefChange:
        """The ref's move, if it may move so, after all that it needs is stored.

        Raises Conflict, NotAFastForward, AccessDenied, ModelError.
        """
        store, rules = self._store, self._rules.of(update.ref)
        actual, short = store.refs.get(update.ref), _short(update.ref)
        if actual == update.new:
            return RefChange(update.ref, actual, actual)
        if actual != update.old:
            raise Conflict(
                f"{short} moved in between: {self._what_came(update.old, actual)}",
                hint="fetch, bring both together (`evgit pull`), and push again",
            )
        if update.new is None:
            if not rules.allow_deletion:
                raise NotAFastForward(
                    f"{short} can't be deleted from outside: what was published stays "
                    f"({rules.key('allow_deletion')})",
                    hint="the owner of the repository may delete it, or allow that there: "
                    f"evgit config {rules.key('allow_deletion')} true",
                )
            return RefChange(update.ref, actual, None)
        if actual is None:
            store.branches.refuse_path_prefix(update.ref)
        elif update.ref.startswith(HEADS):
            self._refuse_rewind(update, actual, rules)
        elif not (update.force and rules.allow_rewind):
            raise Conflict(
                f"tag {short} exists already ({rules.key('allow_rewind')})",
                hint="choose another name",
            )
        if update.ref.startswith(HEADS):
            self._refuse_events(update, actual, rules)
        return RefChange(update.ref, actual, update.new)

    # ------------------------------------------------------------------ off the chain
    def _refuse_rewind(self, update: Update, actual: str, rules: RefRules) -> None:
        graph, short = self._store.history.graph, _short(update.ref)
        if graph.on_first_parents(graph.get(actual), graph.get(str(update.new))):
            return
        if not rules.allow_rewind:
            raise NotAFastForward(
                f"{short} would leave its first-parent chain: positions that were already "
                f"published would change ({rules.key('allow_rewind')}); "
                f"{self._what_came(update.new, actual)}",
                hint="pull with upstream first (`evgit pull`) or re-append your commits "
                "after it (`evgit pull --reappend`), then push again",
            )
        if not update.force:
            came = self._what_came(update.new, actual)
            raise NotAFastForward(
                f"{short} would leave its first-parent chain; {came}",
                hint="its owner allows that, if it is what you want: "
                f"evgit push --force-with-lease={short}",
            )

    def _what_came(self, old: str | None, new: str | None) -> str:
        """Which commits came in between, for a person."""
        store = self._store
        row = None if new is None else store.row(new)
        if row is None:
            return "it was deleted" if new is None else f"it is at {new[:12]}"
        before = None if old is None else store.row(old)
        common = None if before is None else parting(store.history, row, before)
        names: list[str] = []
        for found in store.history.graph.first_parents(row):
            if len(names) > NAMED_COMMITS or (common and found.number == common.number):
                break
            title = store.history.commit(found).message.partition("\n")[0][:60]
            names.append(f"{found.hex[:12]} {title}".rstrip())
        if not names:
            return f"it is at {row.hex[:12]}"
        more = " …" if len(names) > NAMED_COMMITS else ""
        return f"it has {', '.join(names[:NAMED_COMMITS])}{more}"

    # ------------------------------------------------------------------ what the events say
    def _is_judged(self, update: Update, rules: RefRules) -> bool:
        return update.ref.startswith(HEADS) and rules.verify != "never"

    def _refuse_events(self, update: Update, actual: str | None, rules: RefRules) -> None:
        judge, graph = self._judge(), self._store.history.graph
        if judge is None:
            return
        row = graph.get(str(update.new))
        base = self._base(row, actual)
        if not rules.changes_model(self._name):
            changed, taken_back = judge.model_event(base, row), None
            if changed is None and actual is not None:
                taken_back = judge.model_event(base, graph.get(actual))
            if changed or taken_back:
                event, position = changed or taken_back or ("", 0)
                raise AccessDenied(
                    f"{_short(update.ref)}: event {event} at position {position} "
                    f"{'changes' if changed else 'of'} the model, and {self._who} not among those "
                    f"who may change it ({rules.key('model_writers')})",
                    hint="push your other commits without it, or ask the owner of the repository",
                )
        if self._is_judged(update, rules):
            with _told(update.ref, rules):
                judge.refuse_broken(base, row, must=rules.verify == "always")

    def _base(self, row: CommitRow, actual: str | None) -> CommitRow:
        """The last commit of `row`'s chain that the branch had, or for a new one any branch."""
        store = self._store
        heads = [ref.target for ref in store.refs.under(HEADS)] if actual is None else [actual]
        known = [store.history.graph.get(head) for head in heads]
        common = (parting(store.history, row, head) for head in known)
        root = store.history.graph.get(store.repository)
        return max(common, key=lambda found: found.height, default=root)


class _told:  # noqa: N801 - used as a statement
    """Says of an error of the model which ref it is about, and by which rule."""

    def __init__(self, ref: str, rules: RefRules) -> None:
        self._ref = ref
        self._rules = rules

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModelError):
            error.message = f"{_short(self._ref)}: {error.message} ({self._rules.key('verify')})"


def _short(ref: str) -> str:
    return ref.removeprefix(HEADS).removeprefix(TAGS)
