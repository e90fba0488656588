"""What a line of a log says, format by format: bytes to a request, or why it is none. Pure: no files, no HTTP."""
