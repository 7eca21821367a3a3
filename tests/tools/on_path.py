"""Imported first by the programs here: finds what else is in tests/ (bench, plans, support)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
