"""The command that starts a server, read: engine, model, layout, formats and limits, in the words of no engine."""

from optimizer.diagnose.launch.launch import (
    DataParallel,
    Launch,
    LaunchError,
    MemoryRule,
    MemoryShare,
    PoolRole,
    Speculation,
    Unmodelled,
)
from optimizer.diagnose.launch.read import read_launch

__all__ = [
    "DataParallel",
    "Launch",
    "LaunchError",
    "MemoryRule",
    "MemoryShare",
    "PoolRole",
    "Speculation",
    "Unmodelled",
    "read_launch",
]
