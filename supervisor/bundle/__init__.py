"""The support bundle: what somebody needs to know who is to help, in one file, without a secret in it.

part          one file of the bundle: how it is read, and the reason why it may not be there
collect       all parts, from the modules around it: facts, state, runs, system
known         the values of secrets that this machine knows
masking       what is replaced by ***: those values, and whatever has the shape of a secret
archive       the parts into a .tar.zst, bounded in size and time, written whole or not at all
"""
