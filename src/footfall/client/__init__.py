"""The Python client: what other people's programs import, by way of the package's own names."""
