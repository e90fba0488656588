"""What ``footfall ingest`` says when a log is done, and when all are."""

from collections.abc import Sequence

from footfall.cli import output
from footfall.cli.ingest_options import Options, Summary
from footfall.ordinals import counted

COUNTERS_SHOWN = 20


def report(summary: Summary, options: Options) -> int:
    """Print what became of a log; returns the exit code."""
    if options.json:
        output.print_json(summary)
    else:
        print(_sentence(summary, options))
        _print_counters(summary)
    for bad in summary.bad_lines:
        output.note(f"line {bad.line}: {bad.reason}" + (f": {bad.text!r}" if bad.text else ""))
    if summary.bad > len(summary.bad_lines):
        output.note(f"... and {summary.bad - len(summary.bad_lines):,} more")
    if summary.bad:
        output.note(f"{counted(summary.bad, 'line')} could not be read, and not counted")
    if summary.unterminated and not summary.error:
        output.note("1 unterminated line left for next time: it has no end yet")
    if summary.bad and not summary.visits and not summary.filtered and not summary.begin:
        output.error(f"no line could be read as {summary.form}: is --format right?")
        return 1
    return 0


def report_all(summaries: Sequence[Summary], options: Options) -> None:
    """Print what became of several logs together."""
    if options.json:
        return
    visits = sum(summary.visits for summary in summaries)
    failed = sum(summary.error is not None for summary in summaries)
    bad = sum(summary.bad for summary in summaries)
    filtered = sum(summary.filtered for summary in summaries)
    lines = sum(summary.lines for summary in summaries)
    same = sum(not (summary.lines or summary.error) for summary in summaries)
    parts = [f"{counted(visits, 'visit')} {_counted(options)} from {counted(len(summaries), 'file')}"]
    parts += [f"{counted(lines, 'new line')}"] if lines != visits else []
    parts += [f"{filtered:,} passed over"] if filtered else []
    parts += [f"{bad:,} could not be read"] if bad else []
    parts += [f"nothing new in {counted(same, 'file')}"] if same else []
    parts += [f"{counted(failed, 'file')} failed"] if failed else []
    print(f"together: {', '.join(parts)}")


def _counted(options: Options) -> str:
    return "would be counted" if options.dry_run else "counted"


def _sentence(summary: Summary, options: Options) -> str:
    name = "standard input" if summary.file == "-" else summary.file
    if not summary.lines and summary.begin:
        again = "" if options.source else "; --source NAME counts it as another"
        return f"nothing new in {name}: its first {summary.begin:,} bytes were counted before{again}"
    if not summary.lines:
        return f"nothing to count in {name}"
    # Following is mostly waiting: a rate over it would say nothing.
    speed = "" if options.follow else f", {summary.lines / max(summary.seconds, 0.001):,.0f} lines/s"
    begin = f", from byte {summary.begin:,} on" if summary.begin else ""
    stopped = "" if summary.complete or options.follow else "; not all: run it again to go on"
    filtered = f", {summary.filtered:,} passed over" if summary.filtered else ""
    target = f" in {summary.counter}" if summary.counter else ""
    return (
        f"{counted(summary.visits, 'visit')} {_counted(options)}{target} from {name} ({summary.form}{begin}"
        f"{filtered}) in {summary.seconds:.1f} s{speed}{stopped}"
    )


def _print_counters(summary: Summary) -> None:
    if not summary.counters:
        return
    output.print_table(("counter", "visits"), list(summary.counters.items())[:COUNTERS_SHOWN])
    if len(summary.counters) > COUNTERS_SHOWN:
        output.note(f"... and {counted(len(summary.counters) - COUNTERS_SHOWN, 'counter')} more")
