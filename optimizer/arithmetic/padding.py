"""What padding costs where a batch starts and ends together: every member is as long as the longest.

Engines that batch continuously pad nothing; those that run static batches do, and sort requests into buckets of
similar length to pad less.
"""

import numpy as np

from optimizer.arithmetic.arrays import Floats


def padding_overhead(tokens: Floats, share: Floats, buckets: int) -> float:
    """Tokens that padding adds, as a share of those without, when each bucket is padded to its longest length.

    The edges of the buckets are those that pad least, by dynamic programming. With one bucket this is
    longest/mean − 1; it never rises with the buckets, and is 0 with one for each length.

    Args:
        tokens: lengths, (J,), increasing.
        share: share of the requests at each, (J,), summing to 1.
        buckets: how many buckets there are, at least 1.

    Raises ValueError for less than one bucket.

    """
    if buckets < 1:
        raise ValueError(f"requests need at least one bucket, not {buckets}")
    upto = np.concatenate([[0.0], np.cumsum(share)])
    # padded[j]: fewest tokens per request of the j shortest lengths; cost[i, j] of one bucket of lengths i … j − 1
    cost = np.where(
        np.tri(len(tokens), k=0, dtype=bool).T, (upto[None, 1:] - upto[:-1, None]) * tokens[None, :], np.inf
    )
    padded = np.concatenate([[0.0], np.full(len(tokens), np.inf)])
    for _ in range(min(buckets, len(tokens))):
        padded = np.concatenate([[0.0], (padded[:-1, None] + cost).min(axis=0)])
    return max(float(padded[-1] / (tokens * share).sum()) - 1.0, 0.0)
