"""Measurements, to be run by hand: bounded in time and count, on loopback only. None of them is a test."""
