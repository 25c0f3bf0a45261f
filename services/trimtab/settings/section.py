"""What every section of the settings is made of: strict, frozen, bounded."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Lasting = Annotated[float, Field(gt=0, le=10_000_000_000)]  # seconds, of event time; finite is what counts


class Section(BaseModel):
    """One section; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
