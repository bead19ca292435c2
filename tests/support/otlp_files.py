"""What the file exporter wrote, and whoever writes like it: a line of OTLP JSON for each batch."""
import json
import pathlib


def resource_spans(file):
    """Those of all lines."""
    return [resource for line in pathlib.Path(file).read_text(encoding="utf-8").splitlines()
            for resource in json.loads(line)["resourceSpans"]]


def spans(file):
    return [span for resource in resource_spans(file) for scope in resource["scopeSpans"] for span in scope["spans"]]
