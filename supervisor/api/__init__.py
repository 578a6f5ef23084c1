"""The platform's API, as a running supervisor serves it. The command line stays light: it imports nothing from here."""
