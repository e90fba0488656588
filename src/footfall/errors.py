"""Every error that Footfall raises on purpose, in one tree; knows nothing of HTTP or of the terminal.

FootfallError
 ├─ CallerError                 the caller's fault: change the request; nothing was changed by it
 │   ├─ UnauthorizedError
 │   ├─ ForbiddenError
 │   ├─ MalformedRequestError
 │   ├─ InvalidRequestError
 │   ├─ InvalidNameError
 │   ├─ InvalidVisitError
 │   │   └─ VisitorRequiredError
 │   ├─ UnknownUnitError
 │   ├─ UnitConflictError
 │   ├─ CountOverflowError
 │   ├─ TooLargeError
 │   ├─ UnknownCounterError
 │   ├─ TooManyCountersError
 │   ├─ TooManyMilestonesError
 │   ├─ SourcePositionError
 │   ├─ KeysForgottenError
 │   ├─ MilestonePassedError
 │   ├─ UnknownMilestoneError
 │   ├─ ImportConflictError
 │   └─ ClaimError
 │       ├─ NotReachedError
 │       ├─ WrongReceiptError
 │       └─ AlreadyClaimedError
 ├─ UnavailableError            not now: the same request may succeed later
 │   ├─ LogUnavailableError
 │   │   └─ LogFullError
 │   ├─ SpoolFullError
 │   ├─ RateLimitedError
 │   ├─ OverloadedError
 │   │   └─ TooManyClaimsError
 │   ├─ NotReadyError
 │   ├─ PartitionsUnownedError
 │   ├─ BackupFailedError
 │   ├─ BufferFullError
 │   └─ UnreachableError
 ├─ IntegrityError              something durable is not what it was: a person must look
 │   ├─ LogRewoundError
 │   ├─ LogTrimmedError
 │   ├─ CheckpointError
 │   ├─ BackupDamagedError
 │   ├─ SpoolDamagedError
 │   ├─ PartDiedError
 │   ├─ PartitionMismatchError
 │   └─ FormatError
 │       └─ MalformedError
 └─ SetupError                  wrong use or wrong surroundings, found at start
     ├─ ConfigError
     ├─ InputError
     ├─ EngineMissingError
     ├─ EngineTooOldError
     ├─ EngineFailedError
     ├─ DataInUseError
     │   └─ SpoolInUseError
     ├─ DataVersionError
     ├─ PartitionsMismatchError
     ├─ TopologyMismatchError
     ├─ SecretMismatchError
     ├─ PortInUseError
     ├─ LogExistsError
     ├─ RestoreUnfinishedError
     └─ ConnectError
"""

from footfall.ordinals import ordinal


class FootfallError(Exception):
    """Base of all errors that Footfall raises on purpose."""


class CallerError(FootfallError):
    """The request was wrong and changed nothing."""


class UnauthorizedError(CallerError):
    """A request shows no token, or none that this node knows."""


class ForbiddenError(CallerError):
    """A request shows a token that is not good for what it asks.

    Attributes:
        index: Which visit of the batch, from 0; None where it is about the whole request.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message if index is None else f"visit {index}: {message}")
        self.index = index


class MalformedRequestError(CallerError):
    """A request's body is not JSON, or not UTF-8."""


class InvalidRequestError(CallerError):
    """A request has the wrong shape, an unknown field, or a value that nothing can be done with.

    Attributes:
        index: Which visit of the batch, from 0; None where it is about the whole request.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message if index is None else f"visit {index}: {message}")
        self.index = index


class InvalidNameError(CallerError):
    """A counter's name is not 1 to 8 dot-separated parts of ``[A-Za-z0-9_-]``, 200 characters at most."""


class InvalidVisitError(CallerError):
    """A visit's count, visitor or key is not one.

    Attributes:
        index: Which visit of the batch, from 0; None where there is only one.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message if index is None else f"visit {index}: {message}")
        self.index = index


class VisitorRequiredError(InvalidVisitError):
    """A visit names no visitor, and a counter on its path counts visitors."""


class UnknownUnitError(CallerError):
    """A unit is neither ``visits`` nor ``visitors``."""


class UnitConflictError(CallerError):
    """A counter is already defined, with the other unit; the first definition holds."""


class CountOverflowError(InvalidVisitError):
    """A counter would pass 2**63 - 1."""


class TooLargeError(CallerError):
    """A body or a batch is over its limit."""


class UnknownCounterError(CallerError):
    """A visit is to a counter that nobody has defined, and visits define none here.

    Attributes:
        index: Which visit of the batch, from 0; None where there is only one.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message if index is None else f"visit {index}: {message}")
        self.index = index


class TooManyCountersError(CallerError):
    """The log holds as many counters as it may."""


class SourcePositionError(CallerError):
    """A chunk of a source does not start where the source stands in the log.

    Attributes:
        position: The byte offset at which the next chunk must start.
    """

    def __init__(self, source: str, start: int, position: int) -> None:
        super().__init__(
            f"source {source!r} stands at byte {position}, but the chunk starts at byte {start}; send from {position}"
        )
        self.position = position


class KeysForgottenError(CallerError):
    """A request is repeated so late that its keys may be forgotten: it may have counted, and could count twice."""


class TooManyMilestonesError(CallerError):
    """The log holds as many milestones, or imports, as it may."""


class MilestonePassedError(CallerError):
    """A milestone is set on a count that has passed it already.

    Attributes:
        value: The exact count.
    """

    def __init__(self, counter: str, n: int, value: int) -> None:
        super().__init__(
            f"{counter} has {value} already, so it cannot be told who the {ordinal(n)} was; choose a larger N"
        )
        self.value = value


class UnknownMilestoneError(CallerError):
    """There is no such milestone."""


class ImportConflictError(CallerError):
    """A prior count cannot be imported: another one came from its source, or it would cross or approach a milestone."""


class ClaimError(CallerError):
    """A claim was refused."""


class NotReachedError(ClaimError):
    """There is no winner yet, so nobody can claim."""


class WrongReceiptError(ClaimError):
    """The receipt is not the winner's."""


class AlreadyClaimedError(ClaimError):
    """The winner's receipt was shown before."""


class UnavailableError(FootfallError):
    """Not now; the same request may succeed later.

    Attributes:
        retry_after_s: How long who refused asks to be left alone; 0 if that was not said.
    """

    retry_after_s: float = 0.0


class LogUnavailableError(UnavailableError):
    """The log did not acknowledge: it is away, has no quorum, or the outcome is unknown. Retry the same bytes."""


class LogFullError(LogUnavailableError):
    """The log has reached its size limit and refuses."""


class SpoolFullError(UnavailableError):
    """The log is away, and this node's spool takes no more: nothing was counted."""


class RateLimitedError(UnavailableError):
    """Visits come faster from this address, or with this token, than they may.

    Attributes:
        retry_after_s: When the same request can be taken, if nothing else is sent meanwhile.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OverloadedError(UnavailableError):
    """A queue of this node is at its bound."""


class TooManyClaimsError(OverloadedError):
    """Claims come faster than this node looks at them."""


class PartitionsUnownedError(UnavailableError):
    """An exact read got no answer from some partitions in time.

    Attributes:
        partitions: Those that did not answer.
    """

    def __init__(self, partitions: list[int], timeout_s: float) -> None:
        named = ", ".join(map(str, partitions))
        super().__init__(
            f"partitions {named} were counted by no node for {timeout_s:g} s, so the exact count is not known; "
            "try again, or read the eventual count"
        )
        self.partitions = partitions


class NotReadyError(UnavailableError):
    """The node does not count yet, or not any more."""


class BackupFailedError(UnavailableError):
    """A backup cannot be made, found, read or removed now."""


class BufferFullError(UnavailableError):
    """As many visits wait in a client's memory as may: this one was not taken."""


class UnreachableError(UnavailableError):
    """No node answers at a URL."""


class IntegrityError(FootfallError):
    """Something durable is not what it was; counting on it would give a wrong count."""


class LogRewoundError(IntegrityError):
    """The log lost, changed or replaced messages that were already counted or acknowledged."""


class LogTrimmedError(IntegrityError):
    """The log no longer holds what follows a position; a checkpoint beyond it may."""


class CheckpointError(IntegrityError):
    """A checkpoint is torn, flipped, incomplete or of another log."""


class BackupDamagedError(IntegrityError):
    """A backup is torn, flipped, incomplete, or not one of Footfall's."""


class FormatError(IntegrityError):
    """Bytes are of a format that this version does not read."""


class MalformedError(FormatError):
    """Bytes are no message of the log."""


class SpoolDamagedError(IntegrityError):
    """A file of a node's spool cannot be read, or is of another log: what it holds is not counted."""


class PartDiedError(IntegrityError):
    """A part of a node died of an error that nobody foresaw: it counts no more, and must be started again."""


class PartitionMismatchError(IntegrityError):
    """Two vectors over different numbers of partitions cannot be joined."""


class SetupError(FootfallError):
    """Footfall cannot start as it was asked to."""


class ConfigError(SetupError):
    """A setting has a value that it cannot have."""


class InputError(SetupError):
    """A file to read visits from is missing, unreadable, or is not what it was taken for."""


class EngineMissingError(SetupError):
    """No nats-server was found."""


class EngineTooOldError(SetupError):
    """The nats-server that was found is too old to be trusted with a log."""


class EngineFailedError(SetupError):
    """The nats-server that was started does not come up."""


class DataInUseError(SetupError):
    """A running server already uses the data directory."""


class SpoolInUseError(DataInUseError):
    """Another process has this file of a spool."""


class DataVersionError(SetupError):
    """The data directory was written by another version's format."""


class PartitionsMismatchError(SetupError):
    """The log was made with another number of partitions."""


class TopologyMismatchError(SetupError):
    """The cluster runs the other topology."""


class SecretMismatchError(SetupError):
    """The cluster's other nodes answer visits with receipts under another secret."""


class PortInUseError(SetupError):
    """The address that HTTP should be served on cannot be had."""


class LogExistsError(SetupError):
    """A backup should be restored where there is a log already."""


class RestoreUnfinishedError(SetupError):
    """A backup was being restored into this log, and that has not come to its end."""


class ConnectError(SetupError):
    """A server named by a URL cannot be reached, or the URL is not one."""
