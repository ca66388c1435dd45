"""A run as JUnit XML, for whatever shows test results: a suite per target, a case per row and per failure.

A row that misses a budget or a limit on a regression is a failure, what could not be done an error. A reading
that is not to be trusted fails where the recipe says so, by `valid: true` or a limit on it. The order and the
attributes are those that both the schema of Apache Ant and that of Jenkins take; neither knows properties of
a case, so what was measured, and how it compares with another run, stands in the suite's `system-out`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from edgegreen.agent.wire import printable
from edgegreen.judging.compared import Against, Compared
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Measurement
from edgegreen.report import ratios, words
from edgegreen.report.contents import Contents

BUILDING = "building"  # the suite of what failed before there was a target to it


def report(contents: Contents) -> str:
    """The document, indented."""
    run, rows = contents.run, contents.rows
    names = dict.fromkeys(
        [*(row.measurement.target for row in rows), *(one.target or BUILDING for one in run.failures)]
    )
    suites = ET.Element("testsuites")
    for number, name in enumerate(names):
        suites.append(_suite(number, name, contents))
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _suite(number: int, name: str, contents: Contents) -> ET.Element:
    run, rows = contents.run, [row for row in contents.rows if row.measurement.target == name]
    failures = [one for one in run.failures if (one.target or BUILDING) == name]
    missed = [_missed(row, contents.against) for row in rows]
    suite = ET.Element(
        "testsuite", name=printable(name), package=printable(run.recipe), id=str(number),
        hostname=printable(name), timestamp=f"{run.started_at:%Y-%m-%dT%H:%M:%S}",
        tests=str(len(rows) + len(failures)),
        failures=str(sum(map(bool, missed))), errors=str(len(failures)), skipped="0",
        time=_seconds(sum(_lasted_s(row.measurement) for row in rows)),
    )  # fmt: skip
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(contents, rows):
        ET.SubElement(properties, "property", name=key, value=printable(value))
    classname = f"{run.recipe}.{name}"
    for row, why in zip(rows, missed, strict=True):
        item = row.measurement
        case = _add_case(suite, classname, words.trial(item, rows), _lasted_s(item))
        if why:
            kind = "budget" if row.missed else "regression"
            _add_result(case, "failure", kind, "; ".join(why), [*why, *item.reasons])
    for failure in failures:
        case = _add_case(suite, classname, f"{failure.name} ({failure.stage})", 0)
        _add_result(case, "error", failure.stage, failure.error, [failure.error])
    told = [*_figures(rows), *(_compared(contents.against, name) if contents.against and rows else ())]
    ET.SubElement(suite, "system-out").text = printable("\n".join(told))
    ET.SubElement(suite, "system-err").text = printable("\n".join(_remarks(rows)))
    return suite


def _missed(row: Row, found: Against | None) -> tuple[str, ...]:
    """The budgets and the limits on a regression that it does not keep to, in words."""
    return (*row.missed, *(found.failed_by(row.measurement) if found else ()))


def _add_case(suite: ET.Element, classname: str, name: str, lasted_s: float) -> ET.Element:
    return ET.SubElement(
        suite, "testcase", name=printable(name), classname=printable(classname), time=_seconds(lasted_s)
    )


def _add_result(case: ET.Element, tag: str, kind: str, message: str, lines: Sequence[str]) -> None:
    result = ET.SubElement(case, tag, type=kind, message=printable(message))
    result.text = printable("\n".join(lines))


def _properties(contents: Contents, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    yield "run_id", contents.run.run_id
    yield "edgegreen", contents.run.edgegreen
    if contents.against:
        yield "against", _others(contents.against)
    if rows and (board := words.board(rows[0].measurement.conditions)):
        yield "board", board


def _figures(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        item = row.measurement
        figures = {
            "accuracy": words.accuracy(row),
            "p50": f"{words.number(item.latency_ms.p50)} ms",
            "p95": f"{words.number(item.latency_ms.p95)} ms",
            "size": words.size(item.artifact.size_bytes),
            "memory": words.size(item.peak_rss_bytes),
            "energy": f"{words.energy(item)} mJ" if item.energy else words.ABSENT,
            "runtime": words.runtime(item.runtime, item.execution),
        }
        told = ", ".join(f"{key} {value}" for key, value in figures.items() if value != words.ABSENT)
        yield f"{words.trial(item, rows)}: {told}"


def _compared(found: Against, target: str) -> Iterator[str]:
    """How each trial of a target compares with the run before, and what is to be said of that."""
    mine = [one for one in found.trials if one.target == target]
    for one in mine:
        yield f"{ratios.called(one, mine)}, against {_others(found)}: {', '.join(_changes(one))}"
    yield from (f"{mark} {text}" for mark, text, _ in (*ratios.notes(mine), *ratios.of_all(found)))
    if known := ratios.known(found):
        yield f"· {known}"


def _changes(one: Compared) -> Iterator[str]:
    """`p50 0.833 (0.822…0.845) faster`; what is not compared is named without a ratio."""
    for reading, change in ratios.readings(one):
        ratio, word, _ = map(str, ratios.cells(change))
        yield " ".join(part for part in (reading, ratio, word) if part and part != words.ABSENT)


def _others(found: Against) -> str:
    """The ids of the runs before."""
    return ", ".join((found.before.run_id, *found.before.more))


def _remarks(rows: Sequence[Row]) -> Iterator[str]:
    """What is against a reading, whether the recipe minds it or not."""
    for row in rows:
        name = words.trial(row.measurement, rows)
        yield from (f"{name}: not to be trusted: {reason}" for reason in row.measurement.reasons)
        yield from (f"{name}: {warning}" for warning in row.warnings)


def _lasted_s(item: Measurement) -> float:
    """From its first window to its last; 0 where these are not known."""
    edges = item.conditions.get("windows_ns")
    if not isinstance(edges, dict) or not edges:
        return 0.0
    lasted_ns = max(end for _, end in edges.values()) - min(start for start, _ in edges.values())
    return float(lasted_ns) / 1e9


def _seconds(value: float) -> str:
    return f"{value:.3f}"
