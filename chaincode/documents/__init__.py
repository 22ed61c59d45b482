"""Signed documents on their way in: how large, of which typ, signed by whom, for which market.

Begin with `document.py` (what a kind of document is), then `intake.py` (how the contract takes one
or a batch). A room that has a kind of document declares it with a `Document` beside its payload;
words on health, which never reach the contract, are declared here in `health.py`. What a document
asks for is judged in the room that it is about.
"""
