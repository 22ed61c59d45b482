"""Our client of the Gateway service of a Fabric peer: everything a member does on a channel.

It stands alone: besides the standard library it needs gRPC, Fabric's protos, cryptography and
msgspec, and nothing else of this project.
"""
