"""Designs that exist, a row each: what they should do, with an interval.

The cases come as CSV. A row that cannot be predicted gets its status and reason and empty numbers, never a default;
unknown columns pass through; row order and count are kept.
"""

from optimizer.predict.file import PredictSummary, predict_file

__all__ = ["PredictSummary", "predict_file"]
