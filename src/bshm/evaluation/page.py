"""An evaluation as one HTML file that loads nothing: pictures, style and script are inside."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from statistics import median
from string import Template

from bshm.evaluation.gallery import GalleryCard, View
from bshm.evaluation.metrics import BAD_MAD, Errors
from bshm.evaluation.record import versions
from bshm.evaluation.report import EvaluationResult, Row
from bshm.evaluation.table import BAND_COLUMNS, COLUMNS, Column
from bshm.types import Run

UNITS = {"1e-3": "×10⁻³", "1e3": "×10³", "%": "%"}

# Below this error two alphas look the same; a logarithm needs an end somewhere.
STRIP_FROM = 1e-4
STRIP_WIDTH, STRIP_LEFT, STRIP_ROW = 1200, 150, 34

VIEWS = (("whole", "whole picture"), ("spot", "worst spot"))


def page(
    result: EvaluationResult,
    cards: Sequence[GalleryCard],
    *,
    folder: str,
    date: str,
    ran: Mapping[str, Run] | None = None,
) -> bytes:
    """The bytes of the page.

    Args:
        result: from ``report.evaluate``.
        cards: the pictures to show, in this order; ``Gallery.worst_first()``.
        folder: where the pairs came from.
        date: as it should be read.
        ran: by model, the weights and the device; models of others have none.
    """
    template = Template(resources.files("bshm.evaluation").joinpath("page.html").read_text(encoding="utf-8"))
    anchors = {card.name: f"p{number}" for number, card in enumerate(cards, start=1)}
    measured = len(result.pictures)
    all_shown = len(cards) >= measured
    filled = template.substitute(
        title=_text(f"{' against '.join(result.models)} on {folder}"),
        facts=_facts(result, date, ran or {}),
        summary=_summary(result),
        strip=_strip(result, anchors),
        failures=_failures(result),
        gallery_title="Worst first" if all_shown else f"The {len(cards)} worst of {measured}, worst first",
        gallery="\n".join(_article(card, anchors[card.name], n, result.models) for n, card in enumerate(cards, 1)),
        pictures=_pictures(result, anchors),
        models=max(1, len(result.models)),
        first_model=_text(result.models[0]),
        band_px=result.band_px,
        bad_mad=BAD_MAD,
    )
    return filled.encode()


def _facts(result: EvaluationResult, date: str, ran: Mapping[str, Run]) -> str:
    count = len(result.pictures)
    facts = [f"{count} picture{'' if count == 1 else 's'}", _text(date)]
    if result.longest_px is not None:
        facts.append(f"longer side at most {result.longest_px} px")
    facts += [
        f"{_text(model)}: <code>{_text(run.model_sha256[:12])}</code> on {_text(run.device)}"
        for model, run in ran.items()
    ]
    facts.append(", ".join(f"{_text(name)} {_text(version)}" for name, version in versions().items()))
    return "".join(f"<li>{fact}</li>" for fact in facts)


# -- means ---------------------------------------------------------------------------------------------------------


def _summary(result: EvaluationResult) -> str:
    heads = ['<th class="word">Model</th><th>Pictures</th>']
    heads += [_head(column) for column in COLUMNS]
    heads += [_head(column, before="band ", css="split" if n == 0 else "") for n, column in enumerate(BAND_COLUMNS)]
    heads += ['<th class="split">bad<small>%</small></th><th>time<small>ms</small></th>']
    kinds: list[str | None] = [None, *result.kinds] if len(result.kinds) > 1 else [None]
    body = []
    for kind in kinds:
        if len(kinds) > 1:
            title = "All kinds" if kind is None else _text(kind or "(no kind)")
            body.append(f'<tr class="first"><td class="word" colspan="13">{title}</td></tr>')
        body += _summary_rows(result, kind)
    return f"<table><thead><tr>{''.join(heads)}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _summary_rows(result: EvaluationResult, kind: str | None) -> list[str]:
    whole = {model: result.summary(model, kind=kind) for model in result.models}
    band = {model: result.summary(model, kind=kind, band=True) for model in result.models}
    lines = []
    for number, model in enumerate(result.models):
        mine, mine_band = whole[model], band[model]
        cells = [f'<td class="word">{_key(number)}{_text(model)}</td><td>{mine.pictures if mine else 0}</td>']
        for column in COLUMNS:
            others = [summary.mean for summary in whole.values() if summary]
            cells.append(_cell(column, mine.mean if mine else None, others))
        for place, column in enumerate(BAND_COLUMNS):
            others = [summary.mean for summary in band.values() if summary]
            cells.append(
                _cell(column, mine_band.mean if mine_band else None, others, css="split" if place == 0 else "")
            )
        share = f"{mine.bad_share * 100:.1f}" if mine else "–"
        time_ms = result.median_ms(model, kind=kind)
        cells.append(f'<td class="split">{share}</td><td>{"–" if time_ms is None else f"{time_ms:.0f}"}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return lines


def _head(column: Column, *, before: str = "", css: str = "") -> str:
    return f'<th class="{css}">{before}{column.title}<small>{UNITS[column.unit]}</small></th>'


def _cell(column: Column, mine: Errors | None, all_models: list[Errors], *, css: str = "") -> str:
    if mine is None:
        return f'<td class="{css}">–</td>'
    # Printed figures decide: two models that read the same are both best.
    texts = [column.text(errors) for errors in all_models]
    best = column.text(column.best(all_models))
    mark = " best" if len(all_models) > 1 and column.text(mine) == best and len(set(texts)) > 1 else ""
    return f'<td class="{css}{mark}">{column.text(mine)}</td>'


# -- the strip -----------------------------------------------------------------------------------------------------


def _strip(result: EvaluationResult, anchors: Mapping[str, str]) -> str:
    """A dot for each picture, a row for each model, the error from left to right on a logarithmic scale."""
    bottom = 14 + STRIP_ROW * len(result.models)
    parts = []
    for tick in (0.0001, 0.001, 0.01, BAD_MAD, 1.0):
        x = _across(tick)
        css = ' class="limit"' if tick == BAD_MAD else ""
        label = f"{tick * 1000:g}" + (" bad" if tick == BAD_MAD else "")
        parts.append(f'<line{css} x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{label}</text>')
    for number, model in enumerate(result.models):
        y = 14 + STRIP_ROW * (number + 0.5)
        parts.append(f'<text x="0" y="{y + 4}">{_text(_clipped(model, 20))}</text>')
        rows = result.rows_of(model)
        for row in rows:
            mad = row.errors.whole.mad
            dot = (
                f'<circle cx="{_across(mad):.1f}" cy="{y}" r="5" style="--dot:var(--m{number % 6})">'
                f"<title>{_text(row.name)}: {mad * 1000:.2f}</title></circle>"
            )
            parts.append(f'<a href="#{anchors[row.name]}">{dot}</a>' if row.name in anchors else dot)
        if rows:
            x = _across(median(row.errors.whole.mad for row in rows))
            parts.append(f'<line class="middle" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 11}" y2="{y + 11}"/>')
    return (
        f'<svg viewBox="0 0 {STRIP_WIDTH} {bottom + 22}" role="img" '
        f'aria-label="Mean absolute error of every picture, times 1000, logarithmic">{"".join(parts)}</svg>'
        '<p class="soft">MAD ×10⁻³, logarithmic; the upright stroke is the median. A dot leads to its picture.</p>'
    )


def _across(mad: float) -> float:
    share = math.log10(max(mad, STRIP_FROM) / STRIP_FROM) / -math.log10(STRIP_FROM)
    return STRIP_LEFT + share * (STRIP_WIDTH - STRIP_LEFT - 20)


# -- the gallery ---------------------------------------------------------------------------------------------------


def _article(card: GalleryCard, anchor: str, rank: int, models: Sequence[str]) -> str:
    kind = f'<span class="tag">{_text(card.kind)}</span>' if card.kind else ""
    head = (
        f'<header><span class="rank">{rank}</span><h3>{_text(card.name)}</h3>{kind}'
        f'<span class="soft">{card.size_hw[1]} × {card.size_hw[0]}</span></header>'
    )
    truth = (
        '<div class="truth"><p aria-hidden="true">&nbsp;</p>'
        + _figure("Picture", [(name, view.picture, view) for name, view in _views(card)])
        + _figure("Reference", [(name, view.reference, view) for name, view in _views(card)])
        + "</div>"
    )
    ours = "".join(_model(card, model, number) for number, model in enumerate(models))
    return f'<article class="panel" id="{anchor}">{head}<div class="views">{truth}{ours}</div></article>'


def _model(card: GalleryCard, model: str, number: int) -> str:
    row = card.rows.get(model)
    if row is None:
        return f'<div class="model"><p><b>{_key(number)}{_text(model)}</b> could not do this picture.</p></div>'
    whole = row.errors.whole
    figures = " · ".join(f"{column.title} {column.text(whole)}" for column in COLUMNS)
    bad = ' · <b class="bad">bad</b>' if whole.mad > BAD_MAD else ""
    captions = ("Alpha", "Difference", "Cut-out")
    return (
        f'<div class="model"><p><b>{_key(number)}{_text(model)}</b>{figures}{bad}</p>'
        + "".join(
            _figure(
                caption,
                [(name, view.models[model][place], view) for name, view in _views(card)],
                css="cutout" if caption == "Cut-out" else "",
                whose=model,
            )
            for place, caption in enumerate(captions)
        )
        + "</div>"
    )


def _views(card: GalleryCard) -> list[tuple[str, View]]:
    return [("whole", card.whole), ("spot", card.spot)]


def _figure(caption: str, pictures: list[tuple[str, str, View]], *, css: str = "", whose: str = "") -> str:
    said = dict(VIEWS)
    images = "".join(
        f'<img class="{name} {css}" src="{address}" width="{view.width}" height="{view.height}" loading="lazy" '
        f'decoding="async" alt="{_text(f"{caption} {whose}".strip())}, {said[name]}">'
        for name, address, view in pictures
    )
    return f"<figure>{images}<figcaption>{caption}</figcaption></figure>"


# -- every picture -------------------------------------------------------------------------------------------------


def _pictures(result: EvaluationResult, anchors: Mapping[str, str]) -> str:
    words = ["Picture", "Kind", "Model"]
    heads = [f'<th class="word"><button>{word}</button><small></small></th>' for word in words]
    heads.append("<th><button>Size</button><small>px</small></th>")
    for column in COLUMNS:
        sort = ' aria-sort="descending"' if column.title == "MAD" else ""
        heads.append(f"<th{sort}><button>{column.title}</button><small>{UNITS[column.unit]}</small></th>")
    heads.append(f'<th class="split"><button>band MAD</button><small>{UNITS["1e-3"]}</small></th>')
    heads.append("<th><button>time</button><small>ms</small></th>")
    numbers = {model: number for number, model in enumerate(result.models)}
    rows = sorted(result.rows, key=lambda row: -row.errors.whole.mad)
    body = "".join(_picture(row, anchors.get(row.name), numbers[row.model]) for row in rows)
    return f'<table id="pictures"><thead><tr>{"".join(heads)}</tr></thead><tbody>{body}</tbody></table>'


def _picture(row: Row, anchor: str | None, number: int) -> str:
    name = _text(row.name)
    whole, band = row.errors.whole, row.errors.band
    height, width = row.size_hw
    cells = [
        f'<td class="word name" title="{name}">' + (f'<a href="#{anchor}">{name}</a>' if anchor else name) + "</td>",
        f'<td class="word">{_text(row.kind)}</td><td class="word">{_key(number)}{_text(row.model)}</td>',
        f'<td data-v="{width * height}">{width} × {height}</td>',
    ]
    for column in COLUMNS:
        over = ' class="over"' if column.title == "MAD" and whole.mad > BAD_MAD else ""
        cells.append(f'<td{over} data-v="{column.value(whole):.6g}">{column.text(whole)}</td>')
    mad = COLUMNS[0]
    band_value = -1.0 if band is None else mad.value(band)
    band_text = "–" if band is None else mad.text(band)
    cells.append(f'<td class="split" data-v="{band_value:.6g}">{band_text}</td>')
    cells.append(f'<td data-v="{row.time_ms:.3f}">{row.time_ms:.0f}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _failures(result: EvaluationResult) -> str:
    if not result.failures:
        return ""
    items = "".join(
        f"<li><b>{_text(f.name)}</b>{f' with {_text(f.model)}' if f.model else ''}: {_text(f.message)}</li>"
        for f in result.failures
    )
    count = len(result.failures)
    return f'<h2>{count} not measured</h2><ul class="panel failures">{items}</ul>'


def _key(number: int) -> str:
    return f'<span class="key" style="--dot:var(--m{number % 6})"></span>'


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _text(text: str) -> str:
    """File and model names may hold anything: nothing of it becomes markup."""
    return html.escape(text, quote=True)
