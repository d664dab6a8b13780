"""What holds for all tests."""

from hypothesis import settings

# An example that takes long says that the machine is busy, and nothing about what is tested.
settings.register_profile("heddle", deadline=None)
settings.load_profile("heddle")
