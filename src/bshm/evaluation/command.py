"""The work of ``bshm eval``: find the pairs, open the models, measure, write the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from bshm.errors import OptionError, OutputExistsError
from bshm.evaluation.gallery import Gallery
from bshm.evaluation.pairs import find_pairs
from bshm.evaluation.report import EvaluationResult, MatteFunction, Progress, evaluate
from bshm.files import sink
from bshm.options import DEFAULT_DEVICE, DEFAULT_MODEL, MatteOptions
from bshm.types import FloatArray, Picture, Run


class ModelAnswer(Protocol):
    """What this needs of a ``bshm.Matte``."""

    @property
    def alpha(self) -> FloatArray:
        """(H, W) float32, 0..1."""

    @property
    def ran(self) -> Run:
        """Weights and device."""


class OpenModel(Protocol):
    """What this needs of a ``bshm.Matting``."""

    def matte_picture(self, picture: Picture, options: MatteOptions | None = None) -> ModelAnswer:
        """The people of a decoded picture."""


OpenByName = Callable[[str, str], OpenModel]
"""A model's name and a device in, the model held open out."""


class _Model:
    """A session as a ``MatteFunction`` that remembers what ran."""

    def __init__(self, session: OpenModel) -> None:
        self._session = session
        self.ran: Run | None = None

    def __call__(self, picture: Picture) -> FloatArray:
        # Only alpha is measured, so the foreground's colours need not be worked out.
        answer = self._session.matte_picture(picture, MatteOptions(decontaminate=False))
        self.ran = answer.ran
        return answer.alpha


def run(
    folder: str | Path,
    *,
    models: Sequence[str] = (DEFAULT_MODEL,),
    device: str = DEFAULT_DEVICE,
    json_path: Path | None = None,
    html_path: Path | None = None,
    limit: int | None = None,
    longest_px: int | None = None,
    progress: Progress | None = None,
    baselines: Mapping[str, MatteFunction] | None = None,
    date: str | None = None,
    overwrite: bool = True,
    open_session: OpenByName | None = None,
) -> EvaluationResult:
    """Measure models on a folder; ``table.table(result)`` is what to print.

    Args:
        folder: pairs of picture and alpha, in a layout of ``pairs``.
        models: names that `bshm models` lists; the first picks the worst pictures.
        device: for all of them; used or refused, never replaced.
        json_path: where to write the figures; the schema is in ``record``.
        html_path: where to write the page.
        limit: so many pairs at most, taken from each kind in turn.
        longest_px: shrink larger pictures so that the longer side is this.
        progress: told pictures done, pictures in all, and a name, after every picture.
        baselines: more to compare with, by name, after the models.
        date: as it stands in both files; None takes the present minute in UTC.
        overwrite: replace files of an earlier measurement.  A report is made again whenever a model changes.
        open_session: opens a model; None takes ``bshm.Matting``.

    Raises:
        SourceNotFoundError, DataFolderError: of the folder.
        OptionError: a model named twice, or a limit that is none.
        OutputExistsError: a file is there and ``overwrite`` is off; told before anything is measured.
        UnknownModelError, DeviceUnavailableError, ModelFileError: of a model.
        OutputError: a file cannot be written.
    """
    baselines = baselines or {}
    names = [*models, *baselines]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(f"each model can be measured once; {', '.join(twice)} is named more than once.")
    for path in (json_path, html_path):
        if path is not None and path.exists() and not overwrite:
            raise OutputExistsError(f"{path} already exists. Ask for overwriting, or choose another name.")
    pairs = find_pairs(folder, limit=limit)
    held = {name: _Model((open_session or _open)(name, device)) for name in models}
    mattes: dict[str, MatteFunction] = {**held, **baselines}
    gallery = Gallery(names[0]) if html_path is not None and names else None
    result = evaluate(
        pairs,
        mattes,
        longest_px=longest_px,
        watch=gallery.add if gallery else None,
        progress=progress,
    )
    ran = {name: model.ran for name, model in held.items() if model.ran is not None}
    date = date or datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    # The bare name: a page that is handed on should not tell of somebody's home directory.
    title = Path(folder).resolve().name
    if json_path is not None:
        from bshm.evaluation.record import record, to_json

        sink.write(to_json(record(result, folder=title, date=date, ran=ran)), json_path, overwrite=overwrite)
    if html_path is not None and gallery is not None:
        from bshm.evaluation.page import page

        data = page(result, gallery.worst_first(), folder=title, date=date, ran=ran)
        sink.write(data, html_path, overwrite=overwrite)
    return result


def _open(model: str, device: str) -> OpenModel:
    # Here, not above: it loads the run time, which tests and baselines alone do not need.
    from bshm.pipeline import Matting

    return Matting(model=model, device=device)
