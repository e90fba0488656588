"""Says numbers as people do; words that every layer needs."""


def ordinal(n: int) -> str:
    """``1st``, ``12th``, ``1,000,003rd``."""
    suffix = "th" if n // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{suffix}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 visit``, ``2,000 visits``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
