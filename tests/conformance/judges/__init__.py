"""
One judge per data file, named after it.

A judge module has one function, ``judge(case) -> str | None``: None when the case agrees with
the original, otherwise one line that says what came out instead.
"""
