"""The settings of a supervisor, and where each value comes from.

    flags  >  SUPERVISOR_* variables  >  the runner's initial-spec.json  >  defaults

`table` has every setting once; the flags of `supervisor run`, the variables and the keys of the spec follow from it.
`resolved` decides which source counts, as a plain function. `argv` reads the flags, `initial_spec` and `plane_token`
read files, and `cwd` keeps what relative paths mean.
"""
