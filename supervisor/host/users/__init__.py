"""The user that commands run as, what that user may do, and what other users could change."""
