"""How ``footfall top`` says what it shows: numbers, sizes and times, short enough for a table. Pure."""

from collections.abc import Mapping

from footfall.cli.top_wire import LogState, Milestone, SpoolState
from footfall.ordinals import counted

SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


def rate(per_s: float | None) -> str:
    """``1,234/s``, ``0.25/s``; nothing if it is not known yet."""
    if per_s is None:
        return ""
    return f"{per_s:,.0f}/s" if per_s >= 10 else f"{per_s:.3g}/s"


def size(count: float) -> str:
    """``1.5 GiB``."""
    for unit in SIZES[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {SIZES[-1]}"


def duration(seconds: float) -> str:
    """The two largest parts of a time: ``2 d 3 h``, ``4 min 5 s``, ``0 s``."""
    left = int(seconds)
    parts: list[str] = []
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def ranges(numbers: list[int]) -> str:
    """``0-3,7``, and ``-`` for none."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts) or "-"


def projected(milestone: Milestone) -> str:
    """When a milestone is reached, or who has won it."""
    if milestone.winner is not None:
        return f"won by {milestone.winner.visitor or 'a visit without a name'}"
    if milestone.value >= milestone.n:
        return "being judged"
    return "not at this rate" if milestone.projected_s is None else f"in {duration(milestone.projected_s)}"


def log_line(log: LogState) -> str:
    """How the log is."""
    servers = counted(len(log.servers), "server") if log.servers else "some servers"
    where = "embedded" if log.embedded else f"{counted(log.replicas, 'copy', 'copies')} on {servers}"
    full = f" of {size(log.bytes_max)}, {log.bytes / log.bytes_max:.0%} full" if log.bytes_max > 0 else ""
    away = "" if log.connected else "NOT REACHED; "
    return f"{away}{counted(log.messages, 'message')}, {size(log.bytes)}{full}; {where}"


def spool_line(spool: SpoolState | None) -> str:
    """What waits for the log."""
    if spool is None:
        return "none"
    if not spool.visits:
        return "visits go there now" if spool.spooling else "empty"
    full = f", {spool.bytes / spool.bytes_max:.0%} full" if spool.bytes_max else ""
    going = ", and more go there" if spool.spooling else ", draining"
    return f"{counted(spool.visits, 'visit')}, {size(spool.bytes)}{full}, the oldest for {duration(spool.age_s)}{going}"


def growth(before: Mapping[str, int], now: Mapping[str, int], elapsed_s: float) -> dict[str, float]:
    """How fast each counter grew between two looks; a counter that was not there before is left out."""
    if elapsed_s <= 0:
        return {}
    return {name: (value - before[name]) / elapsed_s for name, value in now.items() if name in before}
