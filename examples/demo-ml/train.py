"""Trains two versions of the fraud model on made-up transactions and registers them; ``champion`` is the second.

Version 1 does not look at the amount, version 2 does, and is the better one as long as amounts are in euros.
Run by the demo in the Python that has MLflow: ``python train.py URL``.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from urllib.request import urlopen

import mlflow
import numpy as np
import pandas as pd
from rows import FEATURES, fraud, rows
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

MODEL = "fraud"
SEED, ROWS = 7, 6000


def main(url: str) -> None:
    """Leaves the model in the registry, with what its versions were made of."""
    table = pd.DataFrame(itertools.islice(rows(SEED), ROWS))
    draw = random.Random(SEED)
    marked = np.array([fraud(row, draw) for row in table.to_dict("records")])
    _wait_for(url)
    mlflow.set_tracking_uri(url)
    mlflow.set_experiment(MODEL)
    client = mlflow.MlflowClient()
    for version, features in ((1, FEATURES[1:]), (2, FEATURES)):
        model = Pipeline([("columns", _columns(features)), ("odds", LogisticRegression())])
        model.fit(table[list(FEATURES)], marked)
        auc = roc_auc_score(marked, model.predict_proba(table[list(FEATURES)])[:, 1])
        with mlflow.start_run(run_name=f"train_fraud-{version}", tags={"pipeline": "train_fraud"}):
            data = mlflow.data.from_pandas(table[list(FEATURES)], name="transactions")
            mlflow.log_input(data, context="training")
            mlflow.log_params({"features": ", ".join(features), "rows": ROWS})
            mlflow.log_metric("auc", float(auc))
            mlflow.sklearn.log_model(
                model, name=MODEL, registered_model_name=MODEL, serialization_format="cloudpickle", pip_requirements=[]
            )
        client.set_model_version_tag(MODEL, str(version), "promoted_by", "mia")
        print(f"version {version}: features {', '.join(features)}; AUC {auc:.3f}", flush=True)
    client.set_registered_model_tag(MODEL, "owner", "risk")
    client.set_registered_model_alias(MODEL, "champion", "2")


def _wait_for(url: str) -> None:
    """Until the server answers; whoever started this ends it when that takes too long."""
    while True:
        try:
            with urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)


def _columns(features: tuple[str, ...]) -> ColumnTransformer:
    log = Pipeline([("log", FunctionTransformer(np.log1p)), ("scale", StandardScaler())])
    skewed = [name for name in ("amount",) if name in features]
    plain = [name for name in features if name not in skewed]
    return ColumnTransformer([("skewed", log, skewed), ("plain", StandardScaler(), plain)])


if __name__ == "__main__":
    main(sys.argv[1])
