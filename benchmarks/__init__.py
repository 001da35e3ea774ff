"""evgit beside its rivals, on the same events, in one run: `python -m benchmarks --help`.

    events      the events: a deterministic generator, and files of real ones
    contenders  one module a store: what it takes there to append, replay, read a stream, …
    processes   every measured call in a process of its own
    scenarios   one module a question; runs contenders in turn and pairs up what they took
    report      the table of ratios, as Markdown and JSON

Nothing here is imported by evgit, and nothing here knows evgit but `contenders.evgit_store`.
"""
