"""The one codec of `samples/<worker>.arrows`: `recorder` and `sealed` write, `stream` reads, `seal` is what they share.

A stream is Arrow IPC, so any Arrow library reads it too. Its schema's metadata names the run, the worker and the
format; each batch carries a seal (its number, its rows, a checksum) in its custom metadata.
"""
