"""The contract: deterministic, integers only, no input or output, no clock."""
