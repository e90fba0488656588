"""``python -m footfall.cli``: the command line without its installed script."""

from footfall.cli import main

if __name__ == "__main__":
    main()
