"""Services and tasks as items: how the automations file and the API make, change and remove them.

`candidate` says when a version of the file counts, `diff` what it changes, and `item_commands` carries that out.
"""
