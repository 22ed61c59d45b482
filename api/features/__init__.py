"""What each field of the schema means, with one package per feature.

A package has up to four modules: `types.py` declares what the schema shows and who may see it,
`reads.py` reads the tables, `writes.py` takes input, `projection.py` writes events to the tables.
The modules of this package itself are shared by all projections; `events.py` and `reads.py` list
all features. Begin with `trades/`.
"""
