"""Names errors, so that another process can have them too: a slug for each class, and the class for each slug."""

import re

from footfall import errors
from footfall.errors import FootfallError

UNTYPED = "about:blank"  # the type of a problem whose status says it all


def slug(kind: type[FootfallError]) -> str:
    """The last part of a problem's type: InvalidNameError is ``invalid-name``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__.removesuffix("Error")).lower()


KINDS: dict[str, type[FootfallError]] = {
    slug(kind): kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FootfallError)
}


def revive(kind: str, detail: str) -> FootfallError:
    """An error that another process had: its slug, or a problem's type, and its message."""
    found = KINDS.get(kind.rpartition("/")[2], FootfallError)
    error: FootfallError = found.__new__(found)  # their own constructors would compose the message once more
    error.args = (detail,)
    return error
