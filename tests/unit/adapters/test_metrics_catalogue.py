"""The catalogue is what is published; the code measures nothing else."""

import ast
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import trimtab
from trimtab.adapters.metrics import CATALOGUE, Metric, PrometheusMeter, serve_metrics
from trimtab.domain.errors import InvalidValueError
from trimtab.settings import MetricsSettings

ROOT = Path(trimtab.__file__).parent
BY_NAME = {metric.name: metric for metric in CATALOGUE}
KINDS = {"count": "counter", "observe": "histogram", "set": "gauge"}


def measured() -> Iterator[tuple[str, str, str, set[str]]]:
    """Yield (where, method, name, labels) of every measure in the sources."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = ast.unparse(node.func.value)
            if node.func.attr in KINDS and owner.split(".")[-1].lstrip("_") == "meter":
                assert isinstance(node.args[0], ast.Constant), (
                    f"{path.name}:{node.lineno}: a name that is not written out"
                )
                labels = {keyword.arg or "**" for keyword in node.keywords} - {"amount"}
                yield f"{path.name}:{node.lineno}", node.func.attr, str(node.args[0].value), labels


def test_the_code_measures_what_the_catalogue_has_with_its_labels() -> None:
    uses = list(measured())
    assert len(uses) >= 10
    for where, method, name, labels in uses:
        assert name in BY_NAME, f"{where}: {name} is not in the catalogue"
        assert KINDS[method] == BY_NAME[name].kind, f"{where}: {name} is a {BY_NAME[name].kind}"
        assert labels == set(BY_NAME[name].labels), f"{where}: labels of {name}"


@pytest.mark.parametrize("metric", CATALOGUE, ids=[metric.name for metric in CATALOGUE])
def test_every_metric_is_published_under_its_name(metric: Metric) -> None:
    meter = PrometheusMeter()
    labels = dict.fromkeys(metric.labels, "x")
    if metric.kind == "counter":
        meter.count(metric.name, 2, **labels)
        assert meter.registry.get_sample_value(metric.name, labels) == 2
    elif metric.kind == "gauge":
        meter.set(metric.name, 3, **labels)
        assert meter.registry.get_sample_value(metric.name, labels) == 3
    else:
        meter.observe(metric.name, 0.0042, **labels)
        assert meter.registry.get_sample_value(f"{metric.name}_sum", labels) == 0.0042
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_names_say_kind_and_unit() -> None:
    for metric in CATALOGUE:
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.says, metric.name


@pytest.mark.parametrize(
    ("method", "name", "labels"),
    [("count", "ticks", {}), ("count", "consumer_lag", {}), ("set", "consumer_lag", {"topic": "x"})],
)
def test_a_mistaken_measure_fails_at_once(method: str, name: str, labels: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError, AssertionError)):
        getattr(PrometheusMeter(), method)(name, 1, **labels)


def test_prometheus_is_answered_with_ours_and_the_process_figures() -> None:
    meter = PrometheusMeter()
    meter.count("ticks_total", 7, venue="binance")
    port = serve_metrics(MetricsSettings(port=0), meter)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert 'ticks_total{venue="binance"} 7.0' in text
    assert "process_resident_memory_bytes" in text
    assert "python_gc_collections_total" in text


def test_metrics_are_off_unless_asked_for_and_a_taken_port_is_one_clear_error() -> None:
    meter = PrometheusMeter()
    assert serve_metrics(MetricsSettings(), meter) is None
    port = serve_metrics(MetricsSettings(port=0), meter)
    with pytest.raises(InvalidValueError, match=rf"^metrics: found '127\.0\.0\.1:{port}'; allowed: a free address"):
        serve_metrics(MetricsSettings(port=port), meter)
