"""Why is it slower? A launch command on a machine under a load: predicted, compared with what was measured, explained.

The figures are those of `predict`; terms, causes and the best change are differences of the same evaluation.
"""

from optimizer.diagnose.answer import Asked, diagnose
from optimizer.diagnose.deployment import Stated
from optimizer.diagnose.diagnosis import Diagnosis
from optimizer.diagnose.evidence import Measured

__all__ = ["Asked", "Diagnosis", "Measured", "Stated", "diagnose"]
