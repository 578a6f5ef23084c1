"""One endpoint: the steps of a real client, what each saw, and what that means."""
