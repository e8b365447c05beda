"""What CTest calls."""

import sys
import unittest


def runUnitTest(path, name):
    sys.path.extend([path] if isinstance(path, str) else path)
    result = unittest.TextTestRunner(verbosity=2).run(
        unittest.defaultTestLoader.loadTestsFromName(name)
    )
    if not result.wasSuccessful():
        raise AssertionError(f"{name} failed")
