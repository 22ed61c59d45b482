"""Whether a reading can be right, and what the registers were at a slot's boundary.

Begin with `registers.py`, which judges every reading once. `boundary.py` interpolates between two
readings, `plausibility.py` finds what is visible only over many slots. How a meter is read is in
`drivers/`; the nodes and the contract judge a report again, because they trust no single node.
"""
