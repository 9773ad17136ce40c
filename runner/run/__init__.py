"""One run, from task to result: decide, prepare, supervise, collect, report."""

import sys

from runner import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
