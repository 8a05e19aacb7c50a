"""Where real data lies: the folder that the environment variable CORPUS names. Without it, such tests fail."""

import os
from pathlib import Path

CORPUS = Path(os.environ.get("CORPUS", "/nonexistent/set-CORPUS-to-a-folder-of-real-data"))
