"""The automations file: read, followed and carried out. Start at `automations_file`."""
