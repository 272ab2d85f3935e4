"""Holds a home without serving, as `once` does for its second, until it is ended: `holding.py HOME`."""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from storage.home import Home

Home(Path(sys.argv[1])).take()
print("taken", flush=True)
signal.pause()
