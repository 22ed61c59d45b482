"""A network of containers: compose services, material for each service, images.

Begin with `compose.py`. Native processes are in `runtime/`.
"""
