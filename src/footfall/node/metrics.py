"""A node's plain counters and gauges, named as Prometheus wants them."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from footfall.errors import NotReadyError
from footfall.node.alarms import MEANING, MEANING_OF_CONTROL
from footfall.node.readings import Metric

if TYPE_CHECKING:
    from footfall.node.node import Node

ROOTS_MAX = 100  # counters whose values are metrics: each is a time series for whoever scrapes

Sample = tuple[dict[str, str], float]


def metrics_of(node: Node) -> list[Metric]:
    """All metrics of a node; reading them costs nothing on the hot path, which only adds to integers."""
    counting, producer = node.counting, node.producer
    aggregator, sharing, cuts = counting.aggregator, counting.sharing, counting.cuts
    found = dict.fromkeys((*MEANING, *MEANING_OF_CONTROL), 0) | aggregator.alarms  # a rise from 0 is a rise, too
    alarms: list[Sample] = [({"kind": kind}, count) for kind, count in sorted(found.items())]
    folded: list[Sample] = [({"partition": str(p)}, seq) for p, seq in sorted(aggregator.owned().items())]
    lag: list[Sample] = [({"partition": str(p)}, f.lag_s) for p, f in sorted(aggregator.foldings.items())]
    nothing: dict[str, str] = {}
    return [
        Metric(
            "footfall_visits_stored_total", "counter", "Visits that the log acknowledged", [(nothing, producer.visits)]
        ),
        Metric("footfall_flushes_total", "counter", "Group commits", [(nothing, producer.flushes)]),
        Metric(
            "footfall_publish_retries_total",
            "counter",
            "Attempts that the log left unanswered",
            [(nothing, producer.publisher.retries)],
        ),
        *_spool(node),
        Metric(
            "footfall_visits_gathered", "gauge", "Visits waiting for the next flush", [(nothing, producer.gathered)]
        ),
        Metric("footfall_counters", "gauge", "Counters defined", [(nothing, len(counting.definitions))]),
        Metric("footfall_epoch", "gauge", "The present epoch", [(nothing, counting.definitions.epoch)]),
        Metric(
            "footfall_alarms_total",
            "counter",
            "Messages of the log that could not be counted, or that are missing",
            alarms,
        ),
        Metric("footfall_partition_sequence", "gauge", "Sequence up to which a partition is counted here", folded),
        Metric("footfall_partition_lag_seconds", "gauge", "How far the count of a partition is behind the log", lag),
        Metric(
            "footfall_nodes", "gauge", "Nodes heard from, this one too", [(nothing, 1 + len(counting.members.alive()))]
        ),
        Metric(
            "footfall_rivals_total",
            "counter",
            "Beats of another process with this node's id",
            [(nothing, counting.members.rivals)],
        ),
        Metric(
            "footfall_bus_messages_sent_total", "counter", "Messages to other nodes", [(nothing, sharing.sent_messages)]
        ),
        Metric("footfall_bus_bytes_sent_total", "counter", "Bytes to other nodes", [(nothing, sharing.sent_bytes)]),
        Metric(
            "footfall_bus_messages_received_total",
            "counter",
            "Messages of other nodes",
            [(nothing, sharing.received_messages)],
        ),
        Metric(
            "footfall_bus_bytes_received_total", "counter", "Bytes of other nodes", [(nothing, sharing.received_bytes)]
        ),
        Metric("footfall_cut_parts_total", "counter", "Parts of cuts written", [(nothing, cuts.taken)]),
        Metric(
            "footfall_cut_parts_failed_total",
            "counter",
            "Parts of cuts that could not be written",
            [(nothing, cuts.failed)],
        ),
        Metric("footfall_cut_bytes_total", "counter", "Bytes of cuts written", [(nothing, cuts.bytes)]),
        Metric("footfall_cut_epoch", "gauge", "Epoch of the newest complete cut known here", [(nothing, cuts.newest)]),
        Metric("footfall_ready", "gauge", "1 if this node counts and answers", [(nothing, float(not node.problems()))]),
        *_about(node),
        *_log(node),
        *_exact(node),
        *_backups(node),
        *_history(node),
        *_roots(node),
    ]


def _about(node: Node) -> list[Metric]:
    """Metrics of the process, and of how it works."""
    build = {"version": version("footfall"), "topology": str(node.topology), "node": node.id}
    return [
        Metric("footfall_build_info", "gauge", "1; the labels tell what runs here", [(build, 1.0)]),
        Metric("footfall_start_time_seconds", "gauge", "When the node was started, in Unix time", [({}, node.started)]),
        Metric(
            "footfall_flush_duration_seconds",
            "histogram",
            "From the sealing of a flush until it is durable: most of what a visit waits for",
            [],
            node.producer.durations,
        ),
        Metric(
            "footfall_cut_duration_seconds",
            "gauge",
            "How long the last cut took",
            [({}, node.counting.cuts.duration_s)],
        ),
    ]


def _log(node: Node) -> list[Metric]:
    """Metrics of the log, as this node saw it last: the same on all nodes, but for those that do not reach it."""
    connected = Metric(
        "footfall_log_connected", "gauge", "1 if the log can be reached from here", [({}, float(node.connected))]
    )
    state = node.log_watch.state
    if state is None:
        return [connected]
    found: list[tuple[str, str, float]] = [
        ("footfall_log_bytes", "Size of the log", state.bytes),
        ("footfall_log_bytes_max", "Size at which it refuses; at 90 % of it visits go to the spool", state.bytes_max),
        ("footfall_log_messages", "Messages in the log", state.last_sequence - state.first_sequence + 1),
        ("footfall_log_sequence", "Sequence of its last message", state.last_sequence),
    ]
    return [connected, *(Metric(name, "gauge", text, [({}, value)]) for name, text, value in found)]


def _roots(node: Node) -> list[Metric]:
    """Values of counters at the top of the tree; none until they are whole: one that falls looks like a new one."""
    try:
        node.check_answering()
    except NotReadyError:
        return []
    definitions = node.counting.definitions
    samples: list[Sample] = [
        ({"counter": definitions.names[number], "unit": str(definitions.unit(number))}, node.table.value(number))
        for number in node.catalogue.roots[:ROOTS_MAX]
    ]
    return [
        Metric(
            "footfall_counted_total",
            "counter",
            f"Values of counters at the top of the tree: of the {ROOTS_MAX} that were defined first",
            samples,
        )
    ]


def _spool(node: Node) -> list[Metric]:
    """Metrics of what waits on this node while the log is away."""
    spool = node.spool
    if spool is None:
        return []
    found: list[tuple[str, str, str, float]] = [
        ("footfall_spool_visits", "gauge", "Visits in the spool, which wait for the log", spool.visits),
        ("footfall_spool_bytes", "gauge", "Bytes of them", spool.size),
        ("footfall_spool_bytes_max", "gauge", "Bytes at which the spool refuses", spool.bytes_max),
        ("footfall_spool_age_seconds", "gauge", "How long the oldest of them has waited", spool.age_s),
        ("footfall_spool_files_aside", "gauge", "Files of the spool that cannot be counted", len(spool.aside)),
        ("footfall_spooled_visits_total", "counter", "Visits that were kept in the spool", spool.visits_kept),
        ("footfall_spool_drained_visits_total", "counter", "Visits that went on to the log", spool.visits_drained),
        (
            "footfall_spool_late_keyed_visits_total",
            "counter",
            "Of these, with a key, and later than keys are remembered: if sent again elsewhere, they count twice",
            spool.keyed_late,
        ),
        ("footfall_spool_refused_total", "counter", "Times that the spool did not take visits", spool.refused),
        ("footfall_spooling", "gauge", "1 while visits go to the spool", float(node.producer.storing.spooling)),
    ]
    return [Metric(name, kind, text, [({}, value)]) for name, kind, text, value in found]


def _exact(node: Node) -> list[Metric]:
    """Metrics of exact reads and of milestones."""
    exact, judging, milestones = node.counting.exact, node.counting.judging, node.counting.definitions.milestones
    proofs, announcing = node.counting.proofs, node.counting.announcing
    open_ = sum(standing.open for standing in milestones)
    found: list[tuple[str, str, str, float]] = [
        ("footfall_exact_reads_total", "counter", "Exact reads asked of this node", exact.reads),
        ("footfall_barriers_total", "counter", "Barriers that it wrote for them", exact.barriers),
        ("footfall_exact_failed_total", "counter", "Barriers that some partitions left unanswered", exact.failed),
        ("footfall_milestones_open", "gauge", "Milestones whose winner is not known", open_),
        ("footfall_milestones_reached", "gauge", "Milestones that have a winner", len(milestones) - open_),
        ("footfall_judges", "gauge", "Judges that run here", len(judging.judges)),
        ("footfall_winners_found_total", "counter", "Winners that were found here", judging.won),
        ("footfall_proofs_kept_total", "counter", "Winners whose proof this node has kept", proofs.kept),
        ("footfall_proofs_given_up_total", "counter", "Winners whose proof it could not keep", proofs.given_up),
        ("footfall_webhook_attempts_total", "counter", "Times that it spoke to the webhook", announcing.attempts),
        ("footfall_webhook_failures_total", "counter", "Of these, those that were not taken", announcing.failures),
        ("footfall_claims_total", "counter", "Claims made to this node", node.milestones.claims),
        ("footfall_claims_refused_total", "counter", "Claims that it refused", node.milestones.claims_refused),
    ]
    return [Metric(name, kind, text, [({}, value)]) for name, kind, text, value in found]


def _backups(node: Node) -> list[Metric]:
    """Metrics of backups, if the nodes make any. Whoever watches compares the timestamp with the time."""
    backing_up = node.counting.backing_up
    if backing_up is None:
        return []
    found: list[tuple[str, str, str, float]] = [
        ("footfall_backups_total", "counter", "Backups that this node made and verified", backing_up.made),
        ("footfall_backup_failures_total", "counter", "Backups that it could not make", backing_up.failures),
        (
            "footfall_backup_timestamp_seconds",
            "gauge",
            "When the newest backup of this log was made, by any node, in Unix time; 0 if there is none",
            backing_up.newest_s,
        ),
    ]
    return [Metric(name, kind, text, [({}, value)]) for name, kind, text, value in found]


def _history(node: Node) -> list[Metric]:
    """Metrics of what the node keeps of the past."""
    history = node.history
    found: list[tuple[str, str, str, float]] = [
        ("footfall_history_bytes", "gauge", "Bytes of the file that holds what counters were", history.bytes),
        ("footfall_history_samples_total", "counter", "Samples for it that were kept", history.kept),
        ("footfall_history_samples_failed_total", "counter", "Samples for it that could not be kept", history.failed),
    ]
    return [Metric(name, kind, text, [({}, value)]) for name, kind, text, value in found]
