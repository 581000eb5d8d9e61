"""The day by which tests draw what they look at; MTFL_DAY=2026-11-27 repeats the draws of another day."""

from __future__ import annotations

import os
from datetime import date

DAY = date.fromisoformat(os.environ.get("MTFL_DAY") or date.today().isoformat())
