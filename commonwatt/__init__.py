"""The command `commonwatt` and the wiring of all parts."""
