"""What a field of the schema means, a room for each feature.

In a room: `types.py`, what the schema shows and who may see it; `reads.py`, what the tables answer;
`writes.py`, what is brought in; `projection.py`, what events write to the tables. A file that a
feature does not need is absent. Beside the rooms stand what all projections work with and the two
lists that name all features: `events.py` and `reads.py`. Begin with `trades/`.
"""
