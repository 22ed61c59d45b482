"""Fabric's own programs, built from its Go module; the builder that peers call.

Begin with `install.py`. Images for containers are in `images/`.
"""
