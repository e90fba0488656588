"""One seed, one history: a simulated cluster of the real core under faults, against a dumb oracle. See world.py."""
