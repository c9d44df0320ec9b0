"""What the NannyML connector declares."""

from __future__ import annotations

from quell.sdk.monitor import monitor_options
from quell.sdk.spec import Option, Spec

SPEC = Spec(
    name="nannyml",
    summary="Takes frames of NannyML's results (to_df) as CSV or JSON: estimated performance and drift by chunk.",
    options=monitor_options(
        7 * 86400.0,
        (
            Option(
                name="predictions",
                type="list",
                summary="Columns that hold what the model said: their drift is the model's and not the data's.",
                default=["y_pred", "y_pred_proba"],
                example="[y_pred, y_pred_proba]",
            ),
        ),
    ),
)
