"""What the Evidently connector declares."""

from __future__ import annotations

from quell.sdk.monitor import monitor_options
from quell.sdk.spec import Option, Spec

DAY_AND_SOME_S = 26 * 3600.0

SPEC = Spec(
    name="evidently",
    summary="Takes Evidently's reports and test suites as JSON, as written by versions 0.2 to 0.7.",
    options=monitor_options(
        DAY_AND_SOME_S,
        (
            Option(
                name="predictions",
                type="list",
                summary="Columns that hold what the model said: their drift is the model's and not the data's.",
                default=["prediction"],
                example="[prediction, score]",
            ),
        ),
    ),
)
