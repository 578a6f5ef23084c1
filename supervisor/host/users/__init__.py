"""The user that commands run as, and who else may change what."""
