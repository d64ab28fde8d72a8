"""A gate's grammar and its parser. Pure.

    gate       = metric [ "." quantile ] [ "{" label "=" name { "," label "=" name } "}" ] comparison bound
    metric     = "within" "(" number unit ")"       share of the requests answered well in so much time from when due
               | "response_time" | "error_rate" | ...                     every word of `metrics.METRICS`
    quantile   = "p50" | "p90" | "p95" | "p99" | "p99.9" | "mean" | "max"       after a time, and only there
    label      = "variant" | "class"                    a class of requests, for a metric of requests
               | "outcome" | "cause" | "status"         after `error_rate`
    name       = letters, digits, "_" "." "#" "-", or anything in double quotes: {class="two words"}
    comparison = "<" | "<=" | ">" | ">=" | "=="
    bound      = amount | "baseline" [ ( "+" | "-" ) amount ]
    amount     = number [ unit ]
    unit       = "us" | "ms" | "s"      of a time
               | "%"                    of a rate; after `baseline` also a share of the baseline's figure
               | "/s"                   of a throughput

Spaces mean nothing. A unit may be left out only where it cannot be mistaken: after 0, and of a count.
`==` is for what is counted: a count, or a rate of 0% or 100%.
On a rate, `baseline + 1%` adds one percentage point; elsewhere it adds a hundredth of the baseline.
A gate without `{variant=}` holds for each variant: the worst decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from bench.errors import UsageError
from bench.gates.gate import NAME, Bound, Comparison, Gate
from bench.metrics import CAUSES, CLASS, METRICS, OUTCOMES, UNITS, Kind, Metric
from bench.spelling import nearest

_LONGEST_NUMBER = 30


def parse(text: str, *, where: str = "--gate", name: str = "") -> Gate:
    """The gate `text` writes. UsageError says at which character it went wrong and what could stand there.

    `where` is what the user gave it in, for the error; `name` is the label a settings file gives it.
    """
    reader = _Reader(text, where)
    metric = _metric(reader)
    deadline = _deadline(reader, metric)
    quantile = _quantile(reader, metric)
    labels = _labels(reader, metric)
    comparison = _comparison(reader)
    bound = _bound(reader, metric)
    reader.finish()
    gate = Gate(
        metric=metric,
        quantile=quantile,
        variant=labels.pop("variant", ""),
        request_class=labels.pop(CLASS, None),
        where=tuple(labels.items()),
        comparison=comparison,
        bound=bound,
        deadline=deadline,
        name=name or text.strip(),
    )
    _refuse_nonsense(reader, gate)
    return gate


class _Reader:
    """The text of one gate and how far it has been read."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        self.at = 0

    def mark(self) -> int:
        """Where the next piece begins."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.at

    def take(self, pattern: str) -> str | None:
        """The next piece if it looks like `pattern`, or None and nothing read."""
        start = self.mark()
        match = re.compile(pattern).match(self.text, start)
        if match is None:
            return None
        self.at = match.end()
        return match.group()

    def take_word(self) -> str:
        return self.take(r"[A-Za-z_][A-Za-z0-9_]*") or ""

    def error(self, problem: str, hint: str, *, at: int | None = None) -> UsageError:
        place = self.mark() if at is None else at
        spot = "at its end" if place >= len(self.text) else f"at character {place + 1}"
        return UsageError(f"{self.where} {self.text!r}: {problem} {spot}", hint=hint)

    def finish(self) -> None:
        if self.mark() < len(self.text):
            raise self.error(f"{self.text[self.at :].strip()!r} is too much", "one gate an expression")


def _metric(reader: _Reader) -> Metric:
    start = reader.mark()
    word = reader.take_word()
    if word in METRICS:
        return METRICS[word]
    every = f"metrics: {', '.join(METRICS)}"
    if not word:
        raise reader.error("a metric is missing", every)
    raise reader.error(f"unknown metric {word!r}", _nearest(word, METRICS) + every, at=start)


def _deadline(reader: _Reader, metric: Metric) -> Bound | None:
    start = reader.mark()
    opened = reader.take(r"\(")
    if not metric.deadline:
        if opened:
            raise reader.error(f"{metric.name} has no deadline", f"write {metric.name} alone", at=start)
        return None
    if not opened:
        raise reader.error("a deadline is missing", f"write {metric.name}(250ms)", at=start)
    deadline = _amount(reader, METRICS["response_time"], units=tuple(UNITS[Kind.TIME]))
    if not deadline.number:
        raise reader.error("a deadline of 0 is met by nothing", f"write {metric.name}(250ms)", at=start + 1)
    if not reader.take(r"\)"):
        raise reader.error("the deadline is not closed", f"write {metric.name}(250ms)")
    return deadline


def _quantile(reader: _Reader, metric: Metric) -> str:
    every = f"{metric.name} has {', '.join(metric.quantiles)}"
    if not reader.take(r"\."):
        if metric.quantiles:
            raise reader.error("a quantile is missing", f"write {metric.name}.p99; {every}")
        return ""
    start = reader.mark()
    word = reader.take(r"[A-Za-z0-9_]+(\.[0-9]+)?") or ""
    if not metric.quantiles:
        raise reader.error(f"{metric.name} has no quantiles", f"write {metric.name} alone", at=start - 1)
    if word not in metric.quantiles:
        raise reader.error(f"unknown quantile {word!r}", every, at=start)
    return word


def _labels(reader: _Reader, metric: Metric) -> dict[str, str]:
    start = reader.mark()
    if not reader.take(r"\{"):
        return {}
    if not metric.per_variant:
        raise reader.error(f"{metric.name} is of the whole run, not of a variant", "leave {variant=} out", at=start)
    labels: dict[str, str] = {}
    while not labels or reader.take(r","):
        start = reader.mark()
        label = reader.take_word()
        if label not in metric.selects:
            only = "the only label is {variant=NAME}" if len(metric.selects) == 1 else ""
            every = f"labels: {{variant=NAME}}, {', '.join(metric.selects[1:])}"
            raise reader.error(f"unknown label {label!r}", only or every, at=start)
        if label in labels:
            raise reader.error(f"{label} stands there twice", "one value a label", at=start)
        start = reader.mark()
        labels[label] = ((reader.take(r"=") and reader.take(f'{NAME}|"[^"]+"')) or "").strip('"')
        if labels[label]:
            _check_label(reader, label, labels[label], at=start)
        elif label != "variant":
            raise reader.error(f"{label} has no value", f"write {{{label}=VALUE}}")
        else:
            break
    if not all(labels.values()) or not reader.take(r"\}"):
        raise reader.error(f"the {'variant' if 'variant' in labels else 'label'}'s name is not closed", _CLOSE_IT)
    return labels


_CLOSE_IT = "write {variant=key}"
_STATUS = re.compile(r"[1-5][0-9][0-9]|0")


def _check_label(reader: _Reader, label: str, value: str, *, at: int) -> None:
    """A word that can never occur would make a gate that always passes."""
    known: dict[str, Iterable[str]] = {"outcome": OUTCOMES, "cause": CAUSES}
    if label == "status" and not _STATUS.fullmatch(value):
        raise reader.error(f"unknown status {value!r}", "a status has three digits; 0 is no answer", at=at)
    if label in known and value not in known[label] and not (label == "cause" and value.startswith("http_")):
        every = f"{label}s: {', '.join(known[label])}".removesuffix(", ")
        raise reader.error(f"unknown {label} {value!r}", _nearest(value, known[label]) + every, at=at)


def _comparison(reader: _Reader) -> Comparison:
    start = reader.mark()
    sign = reader.take(r"[<>=!]+")
    try:
        return Comparison(sign or "")
    except ValueError:
        found = f"unknown comparison {sign!r}" if sign else "a comparison is missing"
        raise reader.error(found, f"comparisons: {' '.join(Comparison)}", at=start) from None


def _bound(reader: _Reader, metric: Metric) -> Bound:
    if not reader.take(r"baseline\b"):
        return _amount(reader, metric, units=tuple(UNITS[metric.kind]))
    sign = reader.take(r"[+-]")
    if not sign:
        return Bound(number=Decimal(0), on_baseline=True)
    amount = _amount(reader, metric, units=tuple(dict.fromkeys((*UNITS[metric.kind], "%"))))
    if not amount.number:
        return Bound(number=Decimal(0), on_baseline=True)
    return Bound(number=-amount.number if sign == "-" else amount.number, unit=amount.unit, on_baseline=True)


def _amount(reader: _Reader, metric: Metric, *, units: tuple[str, ...]) -> Bound:
    written = " or ".join(f"10{unit}" for unit in units)
    start = reader.mark()
    digits = reader.take(r"[0-9]+(\.[0-9]+)?")
    if not digits:
        raise reader.error("a number is missing", f"{metric.name} wants {written}, or `baseline`")
    if len(digits) > _LONGEST_NUMBER:
        raise reader.error("the number is too long", f"at most {_LONGEST_NUMBER} digits", at=start)
    unit = reader.take(r"[A-Za-z%/]+") or ""
    number = Decimal(digits)
    if unit not in units and not (unit == "" and number == 0):
        problem = f"unknown unit {unit!r}" if unit else "a unit is missing"
        raise reader.error(problem, f"{metric.name} wants {written}", at=reader.at - len(unit) if unit else None)
    return Bound(number=number, unit=unit)


def _refuse_nonsense(reader: _Reader, gate: Gate) -> None:
    """A gate that reads well and means nothing: exact equality of a measured time, a rate above 100 %."""
    kind, bound = gate.metric.kind, gate.bound
    if kind is Kind.RATE and bound.number > 100 and not bound.on_baseline:
        raise reader.error(f"a rate of {bound} does not exist", "rates go from 0% to 100%", at=len(reader.text))
    exact_rate = kind is Kind.RATE and not bound.on_baseline and bound.number in (0, 100)
    if gate.comparison is Comparison.EQUAL and kind is not Kind.COUNT and not exact_rate:
        raise reader.error(
            f"{gate.metric.name} == {bound} would hold only by accident",
            "== is for counts and for rates of 0% or 100%; write <= or >=",
            at=reader.text.index("=="),
        )


def _nearest(word: str, known: Iterable[str]) -> str:
    close = nearest(word, known)
    return f"did you mean {close}? " if close else ""
