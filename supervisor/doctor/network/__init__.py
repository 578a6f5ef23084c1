"""One attempt at one endpoint, step by step, and what its result means.

target         what to try on this machine, made from the list of endpoints
attempt        takes the steps in their order: `transport` (DNS, TCP, UDP), `proxy`, `tls`, `exchange` (HTTP)
observation    what the attempt saw; facts alone
assessment     what these facts mean; pure
bounded_call   runs a call that may block for ever
certificate    reads a certificate that cannot be verified
"""
