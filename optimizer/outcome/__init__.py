"""The answer, as every command prints it with `--json`.

One object with the same keys in every answer; null where a key has no value. Latencies in seconds, money in dollars,
memory in bytes.
"""

from optimizer.outcome.answer import (
    SCHEMA_VERSION,
    Objective,
    ObjectiveMetric,
    Outcome,
    SearchOut,
    Status,
    Timing,
)
from optimizer.outcome.asked import Assumed, DispersionOut, PriceFileOut, Scope, TraceOut
from optimizer.outcome.choices import Allowance, Alternative, Choice, FrontierOut, FrontierStep, NearOptimum
from optimizer.outcome.design import Cost, Design, EngineOut, FormatsOut, LayoutOut, Pool
from optimizer.outcome.hardware import CountOut, JointPoint, Lack, MinimumHardware, PartNumbers, Rented, RivalOut
from optimizer.outcome.mechanisms import (
    BatchOut,
    Mechanism,
    MechanismFigures,
    MechanismOut,
    MechanismsOut,
    ResolvedOut,
    SettingOut,
    SpeculationOut,
    Worth,
)
from optimizer.outcome.operation import FailureOut, Fleet, GrowthOut, GrowthStep, LossOut, PeriodOut, ProfileOut
from optimizer.outcome.prediction import Latency, OfflineOut, Padding, Predicted, WallOut
from optimizer.outcome.result import Result
from optimizer.outcome.simulation import (
    Refused,
    SimulatedLimit,
    SimulatedScenario,
    SimulatedStatistic,
    SimulatedTrace,
    SimulationOut,
    Verdict,
    VerificationOut,
    VerifiedBy,
)
from optimizer.outcome.ways_out import Change, Floor, Relaxation, SpecValue

__all__ = [
    "SCHEMA_VERSION",
    "Allowance",
    "Alternative",
    "Assumed",
    "BatchOut",
    "Change",
    "Choice",
    "Cost",
    "CountOut",
    "Design",
    "DispersionOut",
    "EngineOut",
    "FailureOut",
    "Fleet",
    "Floor",
    "FormatsOut",
    "FrontierOut",
    "FrontierStep",
    "GrowthOut",
    "GrowthStep",
    "JointPoint",
    "Lack",
    "Latency",
    "LayoutOut",
    "LossOut",
    "Mechanism",
    "MechanismFigures",
    "MechanismOut",
    "MechanismsOut",
    "MinimumHardware",
    "NearOptimum",
    "Objective",
    "ObjectiveMetric",
    "OfflineOut",
    "Outcome",
    "Padding",
    "PartNumbers",
    "PeriodOut",
    "Pool",
    "Predicted",
    "PriceFileOut",
    "ProfileOut",
    "Refused",
    "Relaxation",
    "Rented",
    "ResolvedOut",
    "Result",
    "RivalOut",
    "Scope",
    "SearchOut",
    "SettingOut",
    "SimulatedLimit",
    "SimulatedScenario",
    "SimulatedStatistic",
    "SimulatedTrace",
    "SimulationOut",
    "SpecValue",
    "SpeculationOut",
    "Status",
    "Timing",
    "TraceOut",
    "Verdict",
    "VerificationOut",
    "VerifiedBy",
    "WallOut",
    "Worth",
]
