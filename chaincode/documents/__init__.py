"""Incoming signed documents: checks of their size, typ, signer, channel and contract.

Begin with `document.py` (what a kind of document is), then `intake.py` (how the contract takes one
document or a batch). A package that has a kind of document declares it with a `Document` beside its
payload. Health reports, which never reach the contract, are declared here in `health.py`. The
package that declares a document also decides what the contract does with it.
"""
