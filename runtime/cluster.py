"""Work done by the workers of a Dask cluster (extra ``cluster``): of this computer, or of any number of them.

A worker that dies costs nothing but time: what it had not handed over is done by another. Each of them opens what it
works on itself, so a path, or an address, must mean the same to all.
"""

from __future__ import annotations

import logging
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol, TypeVar

from runtime.errors import HomingError, UsageError

LOCAL = "local"  # instead of an address: workers of this computer, for as long as the job lasts
_AHEAD = 3  # parts for each worker, done before they are asked for
_WITHIN_S = 10.0  # a scheduler answers, and has a worker
_DEATHS = 10  # of workers with the same part, before it is taken to be the part's fault

Part = TypeVar("Part")
Result = TypeVar("Result")
_Part = TypeVar("_Part", contravariant=True)
_Result = TypeVar("_Result", covariant=True)


class Job(Protocol[_Part, _Result]):
    """What is sent to each worker: a value that pickles, and that equals another if both do the same."""

    def open(self) -> AbstractContextManager[Callable[[_Part], _Result]]:
        """What does the parts one after another. A worker opens it once, and keeps it until it gets another job; all
        of it happens in one thread of the worker's process."""
        ...


def done_by_cluster(
    job: Job[Part, Result], parts: Iterable[Part], cluster: str, workers: int, within_s: float = _WITHIN_S
) -> Iterator[Result]:
    """What a cluster makes of each part, in the parts' order, each once.

    ``cluster``: a scheduler's address, ``tcp://HOST:8786``, or ``local`` for so many ``workers`` of this computer.
    ``within_s``: how long a scheduler may take to answer, and to have a worker.

    Raises:
        HomingError: distributed is not installed, no scheduler answers, it has no worker, or the cluster gave up a
            part; and whatever a worker raised.
        UsageError: it is no address.
    """
    with ExitStack() as stack:
        client = _connected(cluster, workers, within_s, stack)
        ahead = _AHEAD * len(client.scheduler_info(n_workers=-1)["workers"])
        waiting: deque[Any] = deque()
        for part in parts:
            waiting.append(client.submit(_do, job, part, pure=False, retries=_DEATHS))
            if len(waiting) >= ahead:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


def _connected(cluster: str, workers: int, within_s: float, stack: ExitStack) -> Any:
    if cluster != LOCAL and "://" not in cluster:
        raise UsageError(f"--cluster {cluster}: give tcp://HOST:8786, a Dask scheduler's address, or {LOCAL}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ports and of libraries that it would rather have
        try:
            import dask
            import distributed
        except ImportError:
            raise HomingError("A cluster needs Dask; install it with `pip install homing[cluster]`.") from None
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a worker that dies is its daily work
        dask.config.set({"distributed.scheduler.allowed-failures": _DEATHS})
        address = cluster
        try:
            if cluster == LOCAL:
                own = distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL,
                    preload=[__name__],
                )  # fmt: skip
                stack.enter_context(own)
                address = own.scheduler_address
            client = stack.enter_context(distributed.Client(address, timeout=within_s))
        except (OSError, ValueError) as error:
            said = str(error).split("\n")[0].rstrip(".")
            raise HomingError(f"--cluster {cluster}: no scheduler answers there ({said}).") from None
        try:
            client.wait_for_workers(1, timeout=within_s)
        except (TimeoutError, distributed.TimeoutError):  # of its own before Python 3.11
            raise HomingError(
                f"--cluster {cluster}: no worker came within {within_s:g} s; start some with `dask worker {address}`."
            ) from None
        return client


def dask_setup(_worker: Any) -> None:
    """Of each worker of this computer, as Dask starts it: whoever asked ends it, not a terminal's Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _result(future: Any) -> Any:
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    try:
        result = future.result()
    except (KilledWorker, FutureCancelledError) as error:
        raise HomingError(
            "the cluster gave up part of the work: too many of its workers ended with it (out of memory?), or its "
            "scheduler did; what was done is kept, and the same command goes on from there."
        ) from error
    future.release()
    return result


class _Worker:
    """A worker's process: the job that it has open, in a thread of its own, as GDAL's settings and what it has open
    belong to one, and a worker may call from several."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "job")
        self._job: Any = None
        self._open = ExitStack()
        self._does: Callable[[Any], Any] | None = None

    def do(self, job: Job[Part, Result], part: Part) -> Result:
        """One part of a job."""
        result: Result = self._thread.submit(self._do, job, part).result()
        return result

    def _do(self, job: Job[Part, Result], part: Part) -> Result:
        if self._does is None or job != self._job:
            self._does = None
            self._open.close()
            self._does, self._job = self._open.enter_context(job.open()), job
        result: Result = self._does(part)
        return result


_WORKER = _Worker()


def _do(job: Job[Part, Result], part: Part) -> Result:
    return _WORKER.do(job, part)
