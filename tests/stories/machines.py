"""Two "machines": network namespaces of this one, each with its own address, or two ports where that is forbidden.

A namespace reaches the others by a bridge, and nothing else: not the services that listen on this machine's 127.0.0.1.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import children
from tests.conftest import NAMESPACES

BRIDGE = "lkbridge"
ROUTER = f"{NAMESPACES}1"
"""The address of this machine on the bridge."""
FORWARD = Path(__file__).with_name("forward.py")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a store runs: the address that it listens on, and how a command is run there."""

    address: str = "127.0.0.1"
    command: list[str] = field(default_factory=list)


def may_have_namespaces() -> bool:
    """Return whether this account may create network namespaces here."""
    if not shutil.which("ip"):
        return False
    tried = subprocess.run(["ip", "netns", "add", "lktry"], capture_output=True)
    if tried.returncode:
        return False
    _ip("netns", "del", "lktry")
    return True


@contextmanager
def machines(number: int, *, reachable: int) -> Iterator[list[Machine]]:
    """Yield ``number`` machines, from which this one's port ``reachable`` is to be had as ``127.0.0.1:reachable``."""
    if not may_have_namespaces():
        yield [Machine()] * number
        return
    with ExitStack() as stack:
        _ip("link", "add", BRIDGE, "type", "bridge")
        stack.callback(_ip, "link", "del", BRIDGE)
        _ip("addr", "add", f"{ROUTER}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        _forward(stack, [], f"{ROUTER}:{reachable}", f"127.0.0.1:{reachable}")
        made = [_machine(stack, each) for each in range(number)]
        for machine in made:
            _forward(stack, machine.command, f"127.0.0.1:{reachable}", f"{ROUTER}:{reachable}")
        yield made


def _machine(stack: ExitStack, number: int) -> Machine:
    name, address = f"lkmachine{number}", f"{NAMESPACES}{11 + number}"
    _ip("netns", "add", name)
    stack.callback(_ip, "netns", "del", name)
    _ip("link", "add", f"lkveth{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("link", "set", f"lkveth{number}", "master", BRIDGE, "up")
    _ip("-n", name, "link", "set", "lo", "up")
    _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
    _ip("-n", name, "link", "set", "eth0", "up")
    return Machine(address, ["ip", "netns", "exec", name])


def _forward(stack: ExitStack, machine: list[str], here: str, there: str) -> None:
    child = children.start([*machine, sys.executable, str(FORWARD), here, there])
    stack.callback(children.stop, child)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
