"""How fast training is, next to other ways to do the same, and to the least that it must cost: see ``__main__``."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> str:
    """What the processor of this machine is called."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return models[0] if models else platform.processor()
