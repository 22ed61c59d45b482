"""Threads for handlers: limited numbers of transactions run and wait, and all others are refused.

Everything except the handler runs on the event loop. A thread that is stuck in a handler cannot be
stopped: its transaction is answered in time, and its place stays taken until the handler returns.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from chaincode.shim.calls.conversation import Conversation, Message
from chaincode.shim.calls.invocation import Handler
from chaincode.shim.faults import TIMED_OUT, Rejected, TransactionOver
from chaincode.shim.serving.metrics import InvocationOutcome, Metrics
from chaincode.shim.serving.settings import ServerSettings
from chaincode.shim.serving.simulation import completed, failed, simulate
from identity.verification import Verification

logger = logging.getLogger("chaincode.shim")


class Job:
    """An accepted transaction that has not been answered yet."""

    __slots__ = ("arrived_s", "conversation", "done", "post", "timer")

    def __init__(
        self,
        conversation: Conversation,
        post: Callable[[bytes], None],
        done: Callable[[Job], None],
    ) -> None:
        """Take `post`, which sends the answer, and `done`, which is called at the job's end."""
        self.conversation = conversation
        self.post = post
        self.done = done
        self.arrived_s = time.monotonic()
        self.timer: asyncio.TimerHandle | None = None


class Workers:
    """The threads of one server."""

    def __init__(
        self,
        settings: ServerSettings,
        handler: Handler,
        verification: Verification,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._handler = handler
        self._verification = verification
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(settings.concurrency, "chaincode")
        self._admitted_max = settings.concurrency + settings.waiting_max
        self._admitted = 0  # transactions that run, wait, or are stuck although answered

    @property
    def full(self) -> bool:
        """Whether the next transaction must be refused."""
        return self._admitted >= self._admitted_max

    def run(self, job: Job, message: Message) -> None:
        """Run a transaction as soon as a thread is free. Must not be called when `full`."""
        self._count(1)
        job.timer = self._loop.call_later(self._settings.transaction_timeout_s, self._time_out, job)
        future = self._threads.submit(
            simulate, message, job.conversation, self._handler, self._verification
        )
        future.add_done_callback(lambda future: self._hand_back(job, future))

    def give_up(self, job: Job, outcome: InvocationOutcome, failure: TransactionOver) -> bool:
        """End a job without its handler; return whether the job was open and needs an answer."""
        if job.timer is None:
            return False
        job.timer.cancel()
        job.timer = None
        job.conversation.break_off(failure)
        self._note(job, outcome)
        return True

    def close(self) -> None:
        """Take no more work; threads end when their handlers do."""
        self._threads.shutdown(wait=False, cancel_futures=False)

    def _hand_back(self, job: Job, future: Future[bytes]) -> None:
        """Give the result to the loop; to be called in the handler's thread."""
        try:
            self._loop.call_soon_threadsafe(self._finish, job, future)
        except RuntimeError:  # the loop has closed: the server was stopped before the handler ended
            return

    def _finish(self, job: Job, future: Future[bytes]) -> None:
        self._count(-1)
        if job.timer is None:
            return
        job.timer.cancel()
        job.timer = None
        fault = future.exception()
        if fault is None:
            outcome, answer = InvocationOutcome.ANSWERED, future.result()
        else:
            outcome = (
                InvocationOutcome.REJECTED
                if isinstance(fault, Rejected)
                else InvocationOutcome.FAILED
            )
            answer = failed(job.conversation, fault)
        job.post(answer)
        self._note(job, outcome)

    def _time_out(self, job: Job) -> None:
        sentence = (
            f"The transaction was not done within {self._settings.transaction_timeout_s:g} s."
        )
        if self.give_up(job, InvocationOutcome.TIMED_OUT, TransactionOver(sentence)):
            job.post(completed(job.conversation, TIMED_OUT, sentence))

    def _note(self, job: Job, outcome: InvocationOutcome) -> None:
        seconds = time.monotonic() - job.arrived_s
        self._metrics.outcomes[outcome].inc()
        self._metrics.seconds.observe(seconds)
        if logger.isEnabledFor(logging.DEBUG):
            name = (job.conversation.transaction, job.conversation.channel)
            logger.debug("transaction %s of channel %s: %s, %.6f s", *name, outcome, seconds)
        job.done(job)

    def _count(self, change: int) -> None:
        self._admitted += change
        running = min(self._admitted, self._settings.concurrency)
        self._metrics.running.set(running)
        self._metrics.waiting.set(self._admitted - running)
