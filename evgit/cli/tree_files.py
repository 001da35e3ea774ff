from __future__ import annotations


def file_changes(*a): ...
