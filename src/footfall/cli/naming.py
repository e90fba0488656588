"""How a person has named a setting: by a flag, a variable, or in a file. Messages name it in the same way."""

import re
from collections.abc import Iterable

from cyclopts import Argument

from footfall.config import Config


def name_of(argument: Argument) -> tuple[str, str]:
    """A setting's name in the code, and how it was named by who gave it: as a flag if nobody has."""
    setting = argument.name.removeprefix("--").replace("-", "_")
    token = argument.tokens[0] if argument.tokens else None
    if token is None or token.source in ("", "cli"):
        return setting, argument.name
    if token.source == "env":
        return setting, token.keyword or f"FOOTFALL_{setting.upper()}"
    return setting, f"{setting} in {token.source}"


class Names:
    """What the settings of the present command were called. There is one command in a process."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def take(self, arguments: Iterable[Argument]) -> None:
        """These are the command's arguments, with all that gave them a value."""
        self._names = dict(map(name_of, arguments))

    @property
    def settings(self) -> list[str]:
        """All settings of the present command, as the code names them."""
        return list(self._names)

    def put_into(self, message: str) -> str:
        """A message that names settings as the code does, with the names that the person knows.

        A name of one word is taken for one only where it begins the message: elsewhere it is a word.
        """
        flags = {name: f"--{name.replace('_', '-')}" for name in Config.__struct_fields__}
        names = {
            name: said
            for name, said in (flags | self._names).items()
            if "_" in name or message.startswith(f"{name} is ")
        }
        one = re.compile(rf"(?<![\w-])({'|'.join(sorted(map(re.escape, names), key=len, reverse=True))})(?![\w-])")
        return one.sub(lambda found: names[found[1]], message)


NAMES = Names()
