"""Publishes visits straight to the log, from a long-lived process that has many of them."""
