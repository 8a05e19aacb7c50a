"""Imports that threads put off until they need them: those of heavy packages are done one at a time.

Where the modules of a package import each other in a circle, as urllib3's do, and two threads begin at two ends of it,
Python breaks the deadlock by handing out a module that is half made (importlib: ``_bootstrap._ModuleLock``), and a name is
missing from it.
"""

import threading

one_at_a_time = threading.RLock()
