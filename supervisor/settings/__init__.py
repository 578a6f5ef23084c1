"""Settings: what a supervisor is told at its start, and by whom.

    flags  >  SUPERVISOR_* variables  >  the runner's initial-spec.json  >  defaults

`table` lists every setting once; the flags of `supervisor run`, the variables and the keys of the spec follow from it.
`resolved` decides which source counts, as a plain function; `spec` and `token` are the edge that reads files.
"""
