"""Meter families as data: one TOML file per family says which registers hold what.

Begin with a TOML file, such as `eastron.toml`; copy one to add a family, and add a recorded answer to
`tests/meter_oracle/families/`. `register_maps.py` reads the files and decodes registers by them. How
registers are asked for is in `drivers/`.
"""
