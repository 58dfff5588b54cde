"""The base of every part of an answer."""

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """Base of every part of an answer: immutable, no NaN or infinity can leave."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
