"""Where a number comes from: versions, device, threads. Plain data, nothing about the user."""

from __future__ import annotations

import datetime
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Raised whenever a change of the code changes the numbers of a run by more than the rounding of a
# measured loss, so that old records are computed again instead of being mixed with new ones.
NUMERICS = 1


def run_provenance(device: torch.device | str = "cpu", **told: Any) -> dict[str, Any]:
    """What stands in the record of a run: what is told, when it finished (UTC), and on what."""
    import numpy
    import torch

    from lrcourse import __version__

    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        **told,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "lrcourse": __version__,
        "numerics": NUMERICS,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "device": device.type,
        "device_name": name,
        "threads": torch.get_num_threads(),
    }
