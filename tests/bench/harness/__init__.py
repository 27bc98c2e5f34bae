"""The machinery of the benchmarks, whose programs are beside this folder.

They use the Redis server of the Python tests.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "py"))
