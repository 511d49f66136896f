"""Measuring contenders in turn, and what is printed of it: medians with quartiles, never one lucky run."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

Work = Callable[[], object]


@dataclass
class Taken:
    """What one contender took in each round, per call: seconds, and milliseconds of this process's CPU."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return 1 / median(self.seconds)

    @property
    def cpu_ms(self) -> float:
        return median(self.cpu)


def in_turn(contenders: Mapping[str, Work], *, rounds: int, calls: int) -> dict[str, Taken]:
    """Call each contender ``calls`` times in each round, one after the other, in another order in every round.

    Whatever else the machine does then meets all of them alike.
    """
    taken = {name: Taken() for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            work = contenders[name]
            gc.collect()
            cpu, began = time.process_time(), time.perf_counter()
            for _ in range(calls):
                work()
            taken[name].seconds.append((time.perf_counter() - began) / calls)
            taken[name].cpu.append((time.process_time() - cpu) / calls * 1000)
    return taken


@dataclass(frozen=True)
class Ratio:
    """A ratio of two things measured in turn: its median over the rounds, and the quartiles."""

    middle: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.lower:.2f} to {self.upper:.2f})"


def ratio(over: Sequence[float], under: Sequence[float]) -> Ratio:
    """Return ``over / under``, round by round."""
    each = [a / b for a, b in zip(over, under, strict=True)]
    lower, middle, upper = quantiles(each, n=4, method="inclusive") if len(each) > 1 else [each[0]] * 3
    return Ratio(middle, lower, upper)


def speed_ratio(ours: Taken, theirs: Taken) -> Ratio:
    """Return how many calls of ours fit into the time of one of theirs: above 1 we are the faster one."""
    return ratio(theirs.seconds, ours.seconds)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
