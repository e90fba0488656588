"""The pure core: all that decides a count. No I/O, no clock, no randomness; read it to trust the number."""
