"""A batch on many machines with Ray Data: rows with the places of pictures go in, and records come out.

Neither pictures nor results pass through Ray.  Each actor has one session, reads, decodes and writes by itself, and
adds its results to the journal of the output folder, which has the same path on all machines.  If an actor dies, its
rows stay open in the work list, and the next round gives them to other actors, which find the finished results in the
journal.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bshm.bulk import rows
from bshm.bulk.batch import BatchRecord
from bshm.bulk.finding import is_url
from bshm.bulk.items import Item, ItemReader
from bshm.bulk.journal import Journal
from bshm.bulk.worker import Ledger, Worker
from bshm.bulk.worklist import WorkList
from bshm.errors import BshmError, EnvironmentFault, MissingExtraError, OptionError, WorkerLostError, option
from bshm.options import MatteOptions

if TYPE_CHECKING:
    from bshm.edit.background import Paints
    from bshm.edit.spec import Edit
    from bshm.types import Picture

# Rows given to Ray at the same time: their list is in the driver's memory.
_WAVE = 50_000
# Pictures per task: lost if its node is lost, and one step of the progress.
_TASK = 8


@dataclass(frozen=True)
class Plan:
    """The parameters of an actor.

    Attributes:
        folder: folder of the results, as an absolute path, the same on every machine.
        settings: as in ``Journal``.
        model, device: of the session.
        options, edit, background, overwrite: as in ``Worker``.
    """

    folder: Path
    settings: Mapping[str, object]
    model: str
    device: str
    options: MatteOptions
    edit: Edit
    background: Picture | Paints | None
    overwrite: bool


@dataclass(frozen=True)
class Pool:
    """Where a batch runs.

    Attributes:
        address: address of a cluster; None takes ``RAY_ADDRESS``, else the cluster that runs on this machine, or starts
            one on it.
        actors: number of sessions, with one processor each.
        memory: bytes that Ray reserves for each session.
    """

    address: str | None = None
    actors: int = 2
    memory: int = 2 << 30

    def __post_init__(self) -> None:
        if not 1 <= self.actors <= 10_000:
            raise OptionError(f"{option('actors')} takes 1 to 10000; got {self.actors}.")


class Actor:
    """A session, a reader and a file of the journal in a process of Ray."""

    def __init__(self, plan: Plan) -> None:
        """Open them, with one thread, because Ray reserves one processor for it."""
        import cv2

        from bshm.pipeline import Matting

        cv2.setNumThreads(1)
        ledger = Ledger(
            plan.folder, Journal(plan.folder, plan.settings, overwrite=True), ItemReader(plan.options.limits)
        )
        matting = Matting(model=plan.model, device=plan.device, threads=1)
        self._folder = plan.folder
        self._worker = Worker(
            matting,
            ledger,
            options=plan.options,
            edit=plan.edit,
            background=plan.background,
            overwrite=plan.overwrite,
        )

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Rows with ``number, source, member, output`` to rows with ``number, status, error, record``."""
        told = [
            self._one(Item(int(number), str(source), str(member) or None, str(output)))
            for number, source, member, output in zip(
                batch["number"], batch["source"], batch["member"], batch["output"], strict=True
            )
        ]
        return {
            "number": [int(number) for number in batch["number"]],
            "status": [each.status for each in told],
            "error": ["" if each.error is None else f"{type(each.error).__name__}: {each.error}" for each in told],
            "record": [json.dumps(rows.row(each)) for each in told],
        }

    def _one(self, item: Item) -> BatchRecord:
        try:
            return self._worker.do(item)
        except Exception as error:  # noqa: BLE001 - one picture's error is a row, and the others go on
            return BatchRecord(item.job(self._folder), "failed", error=error)


def run_on_ray(work: WorkList, ledger: Ledger, plan: Plan, pool: Pool) -> Generator[BatchRecord, None, None]:
    """Process the list on a cluster, in any order; every error of a picture is in its record.

    Pictures whose actor was lost are tried again while other pictures are finished; then they fail.

    Args:
        work: the list.
        ledger: the ledger of the output folder, on this machine.
        plan: the parameters of the actors.
        pool: the cluster.

    Raises:
        MissingExtraError: Ray is not installed.
        EnvironmentFault: there is no cluster at the address.
    """
    for item in work.items():
        try:
            settled = ledger.settled(item)
        except BshmError as error:
            yield BatchRecord(item.job(ledger.folder), "failed", error=error)
            continue
        if settled is not None:
            yield settled
        else:
            work.leave_open(item.number)
    if not work.still_open:
        return
    with _cluster(pool):
        from ray.exceptions import RayError

        task, trouble = _TASK, "its machine or process was lost each time"
        while left := work.still_open:
            waiting = work.open_items()
            try:
                while wave := list(islice(waiting, _WAVE)):
                    for number, found in _wave(wave, plan, pool, task):
                        if work.close_open(number):
                            yield rows.record(found, work.get(number).job(ledger.folder))
            except RayError as error:  # the round is lost, but not its finished results
                trouble = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            if work.still_open == left:
                break
            task = 1  # a picture that kills its process must not affect others twice
    for item in work.open_items():
        reason = f"{item.name} was not finished: {trouble.rstrip('.')}. Does the cluster have enough CPUs and memory?"
        yield BatchRecord(item.job(ledger.folder), "failed", error=WorkerLostError(reason))


def _wave(items: list[Item], plan: Plan, pool: Pool, task: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and row of every item whose actor survived."""
    import ray.data

    given = [
        {
            "number": item.number,
            # The actors have another current folder.
            "source": item.source if is_url(item.source) else os.path.abspath(item.source),  # noqa: PTH100 - keeps links
            "member": item.member or "",
            "output": item.output,
        }
        for item in items
    ]
    done = ray.data.from_items(given, override_num_blocks=-(-len(given) // task)).map_batches(
        Actor,
        fn_constructor_args=(plan,),
        batch_size=task,
        compute=ray.data.ActorPoolStrategy(size=min(pool.actors, -(-len(given) // task))),
        num_cpus=1,
        num_gpus=1 if plan.device.startswith("cuda") else 0,
        memory=pool.memory,
        # Do not wait for a lost machine to come back; the next round processes its pictures.
        ray_remote_args_fn=lambda: {"max_restarts": -1, "max_task_retries": 0},
    )
    for row in done.iter_rows():
        yield int(row["number"]), json.loads(row["record"])


@contextmanager
def _cluster(pool: Pool) -> Iterator[None]:
    """Connect to Ray, and disconnect afterwards, unless it was connected before."""
    # Do not send usage statistics to the makers of Ray.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from ray.data import DataContext
    except ImportError as error:
        raise MissingExtraError(f"{option('engine')} ray needs an optional part: pip install 'bshm[ray]'.") from error
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(address=pool.address, log_to_driver=False, logging_level=logging.ERROR)
        except ConnectionError as error:
            reason = str(error).partition("\n")[0]
            raise EnvironmentFault(
                f"there is no Ray cluster at {pool.address or 'the address in RAY_ADDRESS'}: {reason} Start one with "
                f"`ray start --head`, or omit {option('ray_address')}."
            ) from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # one progress bar is enough
    context = DataContext.get_current()
    before = context.max_errored_blocks, context.enable_progress_bars
    context.max_errored_blocks, context.enable_progress_bars = -1, False
    try:
        yield
    finally:
        context.max_errored_blocks, context.enable_progress_bars = before
        if ours:
            ray.shutdown()
