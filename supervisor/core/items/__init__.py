"""Services and tasks as items: how the automations file and the API make, change and remove them.

`candidate` says when a version of the file counts, `diff` what it changes, `file_commands` carries that out, and
`item_commands` what the API asks of single ones.
"""
