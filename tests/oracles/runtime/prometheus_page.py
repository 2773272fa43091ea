"""A page for Prometheus as PyPI's `prometheus-client` reads it.

Standard input is the page; standard output one JSON object a sample: {"family", "type", "name", "labels", "value"}.
A value that is not finite is a string. A page that is not in the text format, or names a family twice, is an error.
"""

import json
import math
import sys

from prometheus_client.parser import text_string_to_metric_families

families = list(text_string_to_metric_families(sys.stdin.read()))
names = [family.name for family in families]
assert len(names) == len(set(names)), f"a family twice: {names}"
for family in families:
    assert family.documentation and family.type != "unknown", family
    for sample in family.samples:
        print(
            json.dumps(
                {
                    "family": family.name,
                    "type": family.type,
                    "name": sample.name,
                    "labels": sample.labels,
                    "value": sample.value if math.isfinite(sample.value) else str(sample.value),
                }
            )
        )
