"""Receipts: with one, the sender of a visit can prove that it was his. Nobody else can work one out."""

from hashlib import sha256, shake_128
from hmac import compare_digest

RECEIPT_BYTES = 16  # 128 bits: nobody guesses one
RECEIPT_LENGTH = 2 * RECEIPT_BYTES  # in hex digits
ENTRIES_MAX = 2**22  # of a batch that have receipts of their own: no sound producer puts more visits into a message
KEY_LENGTH_MIN = 22  # of an idempotency key that is its own receipt: 22 characters of base64 hold 128 bits
JOINT = "."  # between the two receipts of a visit that counts in both units, and so stands at two places of the log


def is_receipt(key: str | None) -> bool:
    """Whether an idempotency key serves as the receipt: a client that lost the answer still has it."""
    return key is not None and len(key) >= KEY_LENGTH_MIN


def receipts(secret: bytes, producer: str, partition: int, sequence: int, entries: int) -> str:
    """The receipts of a batch's first entries, 32 hex digits each, in one text: one extendable hash, not one hash each.

    Args:
        secret: The cluster's; it is never in the log.
        producer: The batch's producer.
        partition: Where it was stored.
        sequence: Its number for this producer in this partition.
        entries: How many of its entries, over all sections.

    References:
        FIPS 202, section 6.2 (SHAKE128): a shorter output is the beginning of a longer one.
    """
    name = f"{producer}\0{partition}\0{sequence}".encode()
    return shake_128(len(secret).to_bytes(2) + secret + name).hexdigest(RECEIPT_BYTES * entries)


def commitment(receipt: str) -> bytes:
    """What is told of a winner's receipt: its SHA-256."""
    return sha256(receipt.encode()).digest()


def opens(receipt: str, committed: bytes) -> bool:
    """Whether a receipt, or one of the two that are joined in it, is the one that was committed to."""
    found = [compare_digest(commitment(part), committed) for part in (receipt, *receipt.split(JOINT)[:2])]
    return any(found)
