"""The support bundle: what somebody needs to know who is to help, in one file, without a secret in it.

part          one file of the bundle: how it is read, and the reason why it may not be there
collect       all parts, from the modules around it: state, system
known         the values of secrets that this machine knows
told          which files a supervisor was told of
shapes        where something has the shape of a secret, or stands beside the name of one
masking       all that is replaced by ***
ends          the ends of a log or report, cut without showing a part of a secret
archive       the parts into a .tar.zst, bounded in size and time
outfile       a file that appears whole or not at all
"""
