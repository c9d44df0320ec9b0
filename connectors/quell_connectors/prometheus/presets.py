"""Ready queries for what model servers tell of themselves. Each series names its model by a label.

The names are those of the servers' own code: KServe's Python servers, Knative's queue proxy (before it told by
OpenTelemetry, and since), MLServer, Seldon Core 1 and 2. Where nobody tells under a name there is no answer, and that
is no zero; where there are requests and none failed, the share of errors is one.
"""

from __future__ import annotations

from collections.abc import Mapping

_RATE = "rate({}[5m])"
_KNATIVE = "kn_serving_invocation_duration_seconds"
_EXECUTOR = "seldon_api_executor_server_requests_seconds"
_FAILED_CODES = 'code=~"5..|Internal|Unavailable|Unknown|DeadlineExceeded|DataLoss|ResourceExhausted"'
"""Of HTTP, and of gRPC."""


def _summed(by: str, series: str) -> str:
    return f"sum by ({by}) ({_RATE.format(series)})"


def _share(by: str, failed: str, of: str) -> str:
    """The share of failures in all; 0 where there are none."""
    return f"({_summed(by, failed)} or 0 * {_summed(by, of)}) / {_summed(by, of)}"


def _named(series: str) -> str:
    """What Knative's queue proxy tells today, by the name of the configuration as it told it before.

    That stands in labels of its own, or only in the one by which the proxy is scraped (``fraud-00002-private``).
    """
    told = _RATE.format(series)
    for label, pattern in (
        ("service", "(.+)-[0-9]{5}-private"), ("kn_service_name", "(.+)"), ("kn_configuration_name", "(.+)"),
    ):  # fmt: skip
        told = f'label_replace({told}, "configuration_name", "$1", "{label}", "{pattern}")'
    return told


def _model(query: str, label: str, unit: str = "") -> Mapping[str, str]:
    return {"query": query, "entity": f"model/${{{label}}}", **({"unit": unit} if unit else {})}


def _endpoint(query: str, label: str, unit: str = "") -> Mapping[str, str]:
    return {"query": query, "entity": f"endpoint/${{{label}}}", **({"unit": unit} if unit else {})}


_ALL_TODAY = f"sum by (configuration_name) ({_named(f'{_KNATIVE}_count')})"
_FAILED_TODAY = f"""sum by (configuration_name) ({_named(f'{_KNATIVE}_count{{http_response_status_code=~"5.."}}')})"""
_P95 = "histogram_quantile(0.95, sum by ({}, le) ({}))"

KSERVE: Mapping[str, Mapping[str, str]] = {
    "predict_requests_per_s": _model(_summed("model_name", "request_predict_seconds_count"), "model_name"),
    "predict_p95_s": _model(
        _P95.format("model_name", _RATE.format("request_predict_seconds_bucket")), "model_name", "s"
    ),
    "error_share": _endpoint(
        "("
        + _share("configuration_name", 'revision_request_count{response_code_class="5xx"}', "revision_request_count")
        + f") or ({_FAILED_TODAY} or 0 * {_ALL_TODAY}) / {_ALL_TODAY}",
        "configuration_name",
    ),
    "request_p95_s": _endpoint(
        _P95.format("configuration_name", _RATE.format("revision_request_latencies_bucket"))
        + " / 1000 or "
        + _P95.format("configuration_name", _named(f"{_KNATIVE}_bucket")),
        "configuration_name",
        "s",
    ),
}
SELDON: Mapping[str, Mapping[str, str]] = {
    "infer_requests_per_s": _model(
        f"{_summed('model', 'model_infer_request_success_total')} or {_summed('model', 'seldon_model_infer_total')}",
        "model",
    ),
    "infer_error_share": _model(
        "({failed} or 0 * {well}) / (({failed} or 0 * {well}) + {well}) or {core2}".format(
            failed=_summed("model", "model_infer_request_failure_total"),
            well=_summed("model", "model_infer_request_success_total"),
            core2=_share("model", f"seldon_model_infer_total{{{_FAILED_CODES}}}", "seldon_model_infer_total"),
        ),
        "model",
    ),
    "infer_mean_s": _model(
        f"{_summed('model', 'model_infer_request_duration_sum')} / "
        f"{_summed('model', 'model_infer_request_duration_count')} or "
        f"{_summed('model', 'seldon_model_infer_seconds_total')} / {_summed('model', 'seldon_model_infer_total')}",
        "model",
        "s",
    ),
    "drift": _model(  # MLServer tells of values as of a histogram
        f"{_summed('model_name', 'seldon_model_drift_sum')} / {_summed('model_name', 'seldon_model_drift_count')}",
        "model_name",
    ),
    "pipeline_requests_per_s": _endpoint(_summed("pipeline", "seldon_pipeline_infer_total"), "pipeline"),
    "pipeline_error_share": _endpoint(
        _share("pipeline", f"seldon_pipeline_infer_total{{{_FAILED_CODES}}}", "seldon_pipeline_infer_total"), "pipeline"
    ),
    "executor_requests_per_s": _endpoint(_summed("deployment_name", f"{_EXECUTOR}_count"), "deployment_name"),
    "executor_error_share": _endpoint(
        _share("deployment_name", f'{_EXECUTOR}_count{{code=~"5.."}}', f"{_EXECUTOR}_count"), "deployment_name"
    ),
}
PRESETS: Mapping[str, Mapping[str, Mapping[str, str]]] = {"kserve": KSERVE, "seldon": SELDON}
