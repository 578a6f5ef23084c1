"""One way for a byte of a log, from the file to the client."""
