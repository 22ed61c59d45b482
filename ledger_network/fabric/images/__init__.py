"""A network of containers: compose services, material for each, images.

Begin with `compose.py`. Native processes are in `runtime/`.
"""
