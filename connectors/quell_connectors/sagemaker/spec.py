"""What the SageMaker connector declares."""

from __future__ import annotations

from quell.sdk.monitor import monitor_options
from quell.sdk.spec import Spec

SPEC = Spec(
    name="sagemaker",
    summary="Takes constraint_violations.json of SageMaker Model Monitor: data and model quality, bias, attribution.",
    options=monitor_options(3 * 3600.0),
)
