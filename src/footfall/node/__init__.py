"""Nodes: shells that drive the core. They take visits, fold partitions, share counts and keep cuts."""
