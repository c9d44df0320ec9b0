"""Ready queries for what model servers tell of themselves. Each series names its model by a label."""

from __future__ import annotations

from collections.abc import Mapping

KSERVE: Mapping[str, Mapping[str, str]] = {
    "predict_requests_per_s": {
        "query": "sum by (model_name) (rate(request_predict_seconds_count[5m]))",
        "entity": "model/${model_name}",
    },
    "predict_p95_s": {
        "query": "histogram_quantile(0.95, sum by (model_name, le) (rate(request_predict_seconds_bucket[5m])))",
        "entity": "model/${model_name}",
        "unit": "s",
    },
    "error_share": {  # of the queue proxy; 0 where there are requests and no errors
        "query": (
            'sum by (configuration_name) (rate(revision_request_count{response_code_class="5xx"}[5m]) '
            "or 0 * rate(revision_request_count[5m])) / sum by (configuration_name) (rate(revision_request_count[5m]))"
        ),
        "entity": "endpoint/${configuration_name}",
    },
    "request_p95_s": {
        "query": (
            "histogram_quantile(0.95, sum by (configuration_name, le) "
            "(rate(revision_request_latencies_bucket[5m]))) / 1000"
        ),
        "entity": "endpoint/${configuration_name}",
        "unit": "s",
    },
}
SELDON: Mapping[str, Mapping[str, str]] = {
    "infer_requests_per_s": {
        "query": "sum by (model) (rate(model_infer_request_success_total[5m]))",
        "entity": "model/${model}",
    },
    "infer_error_share": {
        "query": (
            "sum by (model) (rate(model_infer_request_failure_total[5m])) / (sum by (model) "
            "(rate(model_infer_request_failure_total[5m])) + sum by (model) "
            "(rate(model_infer_request_success_total[5m])))"
        ),
        "entity": "model/${model}",
    },
    "infer_mean_s": {
        "query": (
            "sum by (model) (rate(model_infer_request_duration_sum[5m])) / sum by (model) "
            "(rate(model_infer_request_duration_count[5m]))"
        ),
        "entity": "model/${model}",
        "unit": "s",
    },
    "drift": {"query": "max by (model_name) (seldon_model_drift)", "entity": "model/${model_name}"},
    "executor_requests_per_s": {
        "query": "sum by (deployment_name) (rate(seldon_api_executor_server_requests_seconds_count[5m]))",
        "entity": "endpoint/${deployment_name}",
    },
    "executor_error_share": {
        "query": (
            'sum by (deployment_name) (rate(seldon_api_executor_server_requests_seconds_count{code=~"5.."}[5m]) '
            "or 0 * rate(seldon_api_executor_server_requests_seconds_count[5m])) / sum by (deployment_name) "
            "(rate(seldon_api_executor_server_requests_seconds_count[5m]))"
        ),
        "entity": "endpoint/${deployment_name}",
    },
}
PRESETS: Mapping[str, Mapping[str, Mapping[str, str]]] = {"kserve": KSERVE, "seldon": SELDON}
