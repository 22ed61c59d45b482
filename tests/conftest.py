"""Settings of all tests: Hypothesis measures no time, machines are shared and noisy."""

from hypothesis import settings

settings.register_profile("commonwatt", deadline=None)
settings.load_profile("commonwatt")
