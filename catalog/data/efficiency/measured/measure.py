"""Measure on one GPU what Roofplan predicts, in a checkout or an installation on a machine that has torch and no more.

    python measure.py OUT_DIR [--quick]

The measurements are those of `roofplan calibrate --measure`, which needs Roofplan's dependencies too.
"""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]

if __name__ == "__main__":
    runpy.run_path(str(ROOT / "optimizer" / "calibration" / "microbenchmarks.py"), run_name="__main__")
