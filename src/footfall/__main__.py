"""``python -m footfall``, and what the script ``footfall`` runs: the commands, where their libraries are installed."""

import sys


def main() -> None:
    """Run the command, and exit with its code."""
    try:
        from footfall.cli import main as command
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("footfall"):
            raise
        sys.exit(
            f"footfall: {error.name} is not installed. A program that counts does without it, but the node and the "
            "commands need it: pip install 'footfall[server]'"
        )
    command()


if __name__ == "__main__":
    main()
