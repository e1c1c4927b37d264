"""The processes of a dask cluster as those who work: `--scheduler`. One connection, and tasks that are no votes."""

import json
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any, TypeVar

from graphcert.core.progress import progress_bar
from graphcert.errors import GraphcertError, InputError
from graphcert.models.base import single_torch_thread

Answer = TypeVar("Answer")

_LOCAL = "local:"
_LEAVE_AT_ONCE = "import atexit, os\n\natexit.register(os._exit, 0)\n"
"""What a local worker runs first: taking torch apart at the end would take seconds."""


def local_processes(scheduler: str | None) -> int:
    """How many processes a checked scheduler starts on this machine; 1 if those are somebody else's."""
    return int(scheduler.removeprefix(_LOCAL)) if scheduler is not None and scheduler.startswith(_LOCAL) else 1


def check_scheduler(scheduler: str, workers: int | None = None) -> None:
    """Raise `InputError` unless this names a scheduler and distributed is there; threads are another way to count."""
    if not isinstance(scheduler, str):
        raise InputError(f"scheduler takes a text such as 'local:4', got {scheduler!r:.60}")
    if workers is not None:
        raise InputError(
            "workers are threads of this process, and a scheduler has processes of its own; give one of them"
        )
    number = scheduler.removeprefix(_LOCAL)
    local = scheduler.startswith(_LOCAL) and number.isascii() and number.isdecimal() and 1 <= int(number) <= 1024
    if not local and not scheduler.startswith(("tcp://", "tls://")) and not FilePath(scheduler).is_file():
        raise InputError(
            f"{scheduler!r:.80} is no scheduler; give local:4 for four processes here, the address tcp://host:port "
            f"or tls://host:port of a dask scheduler, or the file that `dask scheduler --scheduler-file` wrote"
        )
    if find_spec("distributed") is None:
        raise InputError("a scheduler needs dask.distributed; install it with `pip install 'graphcert[distributed]'`")


@contextmanager
def client_of(scheduler: str) -> Iterator[Any]:
    """A connection to a scheduler that has a worker; local processes end with it.

    Raises:
        InputError: for a scheduler that is none, does not answer, or has no worker, after the time that dask's setting
            `distributed.comm.timeouts.connect` allows.
    """
    check_scheduler(scheduler)
    import dask
    from distributed import Client, LocalCluster

    patience = dask.utils.parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    with ExitStack() as stack:
        # A model that is sent once is allowed to be large.
        stack.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}))
        try:
            if scheduler.startswith(_LOCAL):
                number, patience = local_processes(scheduler), 4 * patience
                # One thread each, no memory limit that would kill a worker, and encrypted: others may use this machine too.
                address = stack.enter_context(LocalCluster(
                    n_workers=number, threads_per_worker=1, processes=True, security=True, memory_limit=0,
                    dashboard_address="127.0.0.1:0", preload=[_LEAVE_AT_ONCE], silence_logs=logging.CRITICAL + 1,
                ))  # fmt: skip
            else:
                number, address = 1, _address(scheduler)
            client = stack.enter_context(Client(address, timeout=patience, set_as_default=False))
            client.wait_for_workers(number, timeout=patience)
        except Exception as error:
            raise InputError(
                f"no dask scheduler with a worker answers at {scheduler} ({words(error)}); start both, see docs/cluster.md"
            ) from None
        yield client


def _address(scheduler: str) -> str:
    """The address itself, or the one in the file of a scheduler."""
    return scheduler if "://" in scheduler else str(json.loads(FilePath(scheduler).read_text())["address"])


def evaluated(scheduler: str | None, tasks: Sequence[Callable[[], Answer]], progress: str = "") -> list[Answer]:
    """The answers of tasks in order, by the workers of a scheduler or here one by one; errors are those of the tasks.

    A bar shows how many there are if `progress` names it.
    """
    found = dict(evaluated_as_they_come(scheduler, tasks, progress))
    return [found[place] for place in range(len(tasks))]


def evaluated_as_they_come(
    scheduler: str | None, tasks: Sequence[Callable[[], Answer]], progress: str = "", unit: str = "tasks"
) -> Generator[tuple[int, Answer], None, None]:
    """(place, answer) of every task, as soon as it is known; see `evaluated`."""
    with progress_bar(len(tasks), unit, progress, progress) as bar:
        for answer in _as_they_come(scheduler, tasks):
            bar.update()
            yield answer


def _as_they_come(scheduler: str | None, tasks: Sequence[Callable[[], Answer]]) -> Iterator[tuple[int, Answer]]:
    if scheduler is None or not tasks:
        yield from ((place, task()) for place, task in enumerate(tasks))
        return
    with client_of(scheduler) as client, told_deaths(client, scheduler):
        from distributed import as_completed

        futures = {client.submit(_alone, task, pure=False): place for place, task in enumerate(tasks)}
        for future in as_completed(list(futures), loop=client.loop):
            yield futures.pop(future), future.result()


def _alone(task: Callable[[], Answer]) -> Answer:
    with single_torch_thread():
        return task()


def answers(client: Any) -> bool:
    """Whether the scheduler of a client is still there."""
    try:
        return client.status == "running" and client.nthreads() is not None
    except Exception:  # of many kinds, by the moment at which it went away
        return False


@contextmanager
def told_deaths(client: Any, scheduler: str) -> Iterator[None]:
    """One sentence for workers that die over and over, or a scheduler that goes away, whatever error tells it."""
    from distributed import KilledWorker

    try:
        yield
    except KilledWorker:
        raise InputError(
            "the workers die again and again at the same task, most often for want of memory; give each of them more, or "
            "take fewer of them on a machine"
        ) from None
    except GraphcertError:
        raise
    except Exception:
        if answers(client):
            raise
        raise InputError(
            f"the scheduler at {scheduler} went away; start it and this command again, which goes on from what is stored"
        ) from None


def words(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
