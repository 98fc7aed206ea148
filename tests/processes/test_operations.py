"""What docs/operations.md tells whoever runs Linyue is all there is, and is there."""

import re
from datetime import timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from linyue import settings
from linyue.scrape import Model, Now, exposed

GUIDE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def metrics() -> set[str]:
    """The names of all that /metrics shows, as one queries them."""
    model = Model(name="agenda", position=1, lag=timedelta(), stopped=False)
    text = exposed(Now(head=1, models=[model], tick_age_seconds=1.0)).decode()
    families = list(text_string_to_metric_families(text))
    # One that ends so says when a counter began, and comes with each by itself.
    shown = [family for family in families if not family.name.endswith("_created")]
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in shown}


def test_the_guide_lists_every_metric_and_no_other() -> None:
    listed = set(re.findall(r"^\| `(linyue_\w+)", GUIDE, re.MULTILINE))
    assert listed == metrics()


def test_every_alarm_asks_for_metrics_that_are_there() -> None:
    rules = YAML(typ="safe").load(re.search(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[1])  # type: ignore[index]
    asked = [set(re.findall(r"linyue_\w+", rule["expr"])) for rule in rules["groups"][0]["rules"]]
    assert all(asked)
    assert set().union(*asked) <= metrics()


def test_the_guide_lists_every_setting() -> None:
    listed = set(re.findall(r"`([A-Z_]+)`", "".join(re.findall(r"^\| `[A-Z].*?\|", GUIDE, re.MULTILINE))))
    # The last is the server's own.
    assert listed == {*settings._NAMES.values(), "FORWARDED_ALLOW_IPS"}
