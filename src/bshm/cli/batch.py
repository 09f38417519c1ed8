"""``bshm batch``: process thousands of pictures, each once, on one machine or many."""

from __future__ import annotations

import argparse
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.bulk.batch import suffix_for, with_format
from bshm.bulk.finding import PassedOver
from bshm.cli import exit_codes, interrupts
from bshm.cli.matte import (
    add_flags,
    add_review,
    asked_for,
    background_once,
    check_review,
    check_scores,
    finish_review,
    open_matting,
    painter_of,
)
from bshm.cli.parsing import Parser
from bshm.cli.streams import for_results_alone, hushed, say
from bshm.errors import NoPicturesError, OptionError
from bshm.options import BatchOptions, byte_count

if TYPE_CHECKING:
    from bshm.bulk.batch import BatchRecord
    from bshm.bulk.ray_engine import Pool
    from bshm.bulk.review import Review
    from bshm.bulk.worker import Ledger
    from bshm.bulk.worklist import WorkList

ENGINES = ("local", "ray")

EXAMPLES = [
    ("bshm batch photos/ -o cut/", "a folder and its sub-folders; run again to continue"),
    ("bshm batch list.csv more.zip -o cut/", "the pictures of a list and of a zip"),
    ("bshm batch list.parquet -o cut/ --json > log", "one line of JSON per picture"),
    ("bshm batch in/ -o shop/ -b white -f jpg --crop", "over a colour, cropped, as JPEG"),
    ("bshm batch list.csv -o /all/cut --engine ray", "on a Ray cluster"),
]

NOTES = """\
What an input may be:
  A picture, a folder with everything below it, a pattern in quotes, a zip, a URL (http, https, s3), or
  a manifest: .csv, .jsonl or .parquet with a column input (paths relative to the manifest's folder, or
  URLs) and an optional column output (paths below -o; the suffix picks the format).  Results keep their
  sub-folders.  An input that cannot be read counts as one failure; the others continue.

What the output folder contains:
  The results; report.parquet (report.csv without the extra bshm[bulk]), with one row per picture;
  report.html with figures and the pictures to check; and .bshm-batch/, the journal.

Continuing where it stopped:
  Run the same command again.  The journal records which bytes and settings each result was made from,
  and a result that still matches is not made again.  A picture that changed is processed again.
  Without --overwrite, files that the batch did not write and results of other settings are never
  replaced.  Pictures with the same bytes are processed once: each further result is a hard link to the
  first, or a copy.  --review-below copies only results of this run, not those of earlier runs.

See docs/batch.md for more, including Ray."""


def parser() -> Parser:
    """The flags of ``bshm batch``."""
    result = Parser(
        "batch",
        "Cuts the people out of thousands of pictures: resumes after a crash, does nothing twice, reports on each.",
        usage="INPUT… -o FOLDER [options]",
        examples=EXAMPLES,
        notes=f"{NOTES}\n\nExit codes:\n{exit_codes.table()}",
    )
    result.inputs.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="picture, folder, pattern in quotes, manifest, zip or URL"
    )
    where = result.add_argument_group("Where")
    where.add_argument(
        "-o", "--output", metavar="FOLDER", required=True, help="folder for the results, created if needed"
    )
    where.add_argument(
        "--overwrite",
        action="store_true",
        default=BatchOptions.overwrite,
        help="replace files that the batch did not write, and results of other settings",
    )
    add_review(where)
    machines = result.add_argument_group("Machines")
    machines.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="where to run: on this machine or on a Ray cluster; extra bshm[ray] (default: %(default)s)",
    )
    machines.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="address of the cluster (default: RAY_ADDRESS, else the one running on this machine, else a new one here)",
    )
    machines.add_argument(
        "--actors", type=int, metavar="N", help="sessions on the cluster, with one processor each (default: 2)"
    )
    machines.add_argument(
        "--actor-memory", metavar="SIZE", help="memory that Ray reserves for each session: 2G, 512M (default: 2G)"
    )
    add_flags(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Do what the flags say; returns the exit code."""
    with hushed():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from bshm.bulk.items import ItemReader
    from bshm.bulk.journal import Journal
    from bshm.bulk.many import listed, settings_of
    from bshm.bulk.worker import Ledger
    from bshm.weights import catalogue

    options, edit = asked_for(arguments)
    if "" in arguments.inputs or arguments.output == "":  # a shell variable that was not set; never the current folder
        raise OptionError("an input or -o is empty. Name a file or a folder.")
    if "-" in arguments.inputs or arguments.output == "-":
        raise OptionError("a batch cannot use a pipe. Use `bshm matte - -o -` for one picture.")
    folder = Path(arguments.output)
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"-o takes a folder; {folder} is a file.")
    batch = BatchOptions(in_flight=arguments.in_flight, ordered=False, overwrite=arguments.overwrite)
    pool = _pool(arguments)
    review = _review(arguments, folder, batch.overwrite)
    suffix = suffix_for(edit)
    with_format(edit, Path(f"name.{suffix}"))  # an error is raised before any search
    passed_over = PassedOver()
    work = listed(arguments.inputs, folder=folder, suffix=suffix, passed_over=passed_over)
    if not len(work):
        raise NoPicturesError(f"there is nothing to do: {passed_over or 'no input names a picture'}.")
    if review is not None:
        _keep_apart(review, work, folder)
    if str(passed_over) and not arguments.quiet:
        say(f"passed over: {passed_over}")
    background = background_once(edit, options.limits)
    weights = catalogue.find(arguments.model).sha256
    painter = painter_of(arguments, edit)
    painted_by = None if painter is None else painter.model
    settings = settings_of(arguments.model, weights, options, edit, background, painted_by)
    behind = painter or background
    journal = Journal(folder, settings, overwrite=batch.overwrite)
    ledger = Ledger(folder, journal, ItemReader(options.limits), refuse=journal.is_new and not batch.overwrite)

    def records() -> Generator[BatchRecord, None, None]:
        if pool is None:
            from bshm.bulk.many import run_here

            matting = open_matting(arguments)
            if review is not None:
                check_scores(matting)
            interrupts.in_order()
            some = replace(batch, in_flight=max(1, min(batch.in_flight, len(work))))
            return run_here(
                matting, work, ledger, options=options, edit=edit, background=behind, batch=some, review=review
            )
        from bshm.bulk.ray_engine import Plan, run_on_ray

        interrupts.in_order()
        model, device = arguments.model, arguments.device
        plan = Plan(folder.resolve(), settings, model, device, options, edit, behind, batch.overwrite)
        return run_on_ray(work, ledger, plan, pool)

    try:
        code = _report_on(arguments, work, ledger, records())
        if review is not None:
            finish_review(review, quiet=arguments.quiet)
        return code
    finally:
        journal.close()


def _report_on(
    arguments: argparse.Namespace, work: WorkList, ledger: Ledger, records: Generator[BatchRecord, None, None]
) -> int:
    from bshm.bulk.many import thumbnails
    from bshm.bulk.report import BatchReport, has_parquet
    from bshm.cli.reporting import Reporter

    if not has_parquet() and not arguments.quiet:
        say("the report is CSV; for Parquet: pip install 'bshm[bulk]'")
    facts = {"Model": arguments.model, "Engine": arguments.engine, "Inputs": ", ".join(arguments.inputs[:20])}
    with (
        # Ray reports on its machines there.
        for_results_alone(),
        closing(records),
        BatchReport(ledger.folder, facts) as report,
        Reporter(total=len(work), json_lines=arguments.json, quiet=arguments.quiet) as reporter,
    ):
        for record in records:
            report.add(record)
            reporter.add(record)
        report.finish(thumbnails(work, ledger.reader))
    if not arguments.quiet:
        say(f"report: {report.table}, {ledger.folder / 'report.html'}")
    return reporter.exit_code


def _review(arguments: argparse.Namespace, folder: Path, overwrite: bool) -> Review | None:
    check_review(arguments)
    if arguments.review_below is None:
        return None
    if arguments.engine != "local":
        raise OptionError("--review-below needs --engine local; with Ray, report.html lists the pictures to check.")
    from bshm.bulk.review import Review

    return Review(Path(arguments.review_folder or folder / "review"), arguments.review_below, overwrite=overwrite)


def _keep_apart(review: Review, work: WorkList, folder: Path) -> None:
    """Refuse a review folder that gets results, too: the files could have the same names."""
    copies = review.folder.resolve()
    if folder.resolve() == copies or any((folder / each.output).parent.resolve() == copies for each in work.items()):
        raise OptionError(
            f"{review.folder} gets the results, so the copies for review need another one. Set --review-folder."
        )


def _pool(arguments: argparse.Namespace) -> Pool | None:
    given = (arguments.ray_address, arguments.actors, arguments.actor_memory)
    if arguments.engine != "ray":
        if given != (None, None, None):
            raise OptionError("--ray-address, --actors and --actor-memory work only with --engine ray.")
        return None
    from bshm.bulk.ray_engine import Pool

    return Pool(
        arguments.ray_address,
        Pool.actors if arguments.actors is None else arguments.actors,
        Pool.memory if arguments.actor_memory is None else byte_count(arguments.actor_memory),
    )
