"""The support bundle: what support needs to know, in one file without secrets.

context         which supervisor the bundle is about, and whom to ask
collect         all entries of the bundle; those of `state` and `system` stand in modules of their own
archive         packs the entries into a .tar.zst, bounded in size and time
secrets         the values of secrets that this machine knows
shapes          finds text that looks like a secret, or that stands beside the name of one
masker          replaces all of these by ***
excerpt         the ends of a log or a report, cut so that no part of a secret shows
start_options   the files that the running supervisor's flags and variables name
workspace_file  the automations file, if its owner may read it
output_file     a file that appears whole or not at all
"""
