"""axe-core looks through a page for what people with disabilities cannot use: https://github.com/dequelabs/axe-core.

Its script comes from npm by the lock file of this folder, once for an environment of Python. All of its rules are used
but the experimental ones, ``target-size`` of WCAG 2.2 too, which axe leaves out unless asked.
"""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome

HERE = Path(__file__).parent
INSTALLED = Path(sys.prefix, "axe")
TIMEOUT = 120
"""Seconds that npm may take."""
RUN = """
const done = arguments[arguments.length - 1];
const options = {resultTypes: ["violations"], preload: false, rules: {"target-size": {enabled: true}}};
const why = node => node.any.concat(node.all, node.none).map(check => check.message).join("; ");
const shown = node => `${node.target.join(" ")} ${node.html.slice(0, 160)} (${why(node)})`;
const faults = rule => rule.nodes.map(node => `${rule.impact} ${rule.id}: ${shown(node)}`);
axe.run(document, options).then(
  result => done(result.violations.flatMap(faults)),
  error => done([`axe failed: ${error}`]),
);
"""


@cache
def script() -> str:
    """Return axe's script, "" on a machine without npm or without its registry."""
    wanted = (HERE / "package-lock.json").read_text()
    is_installed = INSTALLED / "package-lock.json"
    if not is_installed.exists() or is_installed.read_text() != wanted:
        if not _install():
            return ""
        is_installed.write_text(wanted)
    return (INSTALLED / "node_modules" / "axe-core" / "axe.min.js").read_text()


def _install() -> bool:
    npm = shutil.which("npm")
    if npm is None:
        return False
    INSTALLED.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, INSTALLED)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        is_done = not subprocess.run(
            command, cwd=INSTALLED, capture_output=True, timeout=TIMEOUT, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        is_done = False
    if not is_done:
        (INSTALLED / "package-lock.json").unlink()
    return is_done


def violations(driver: Chrome) -> list[str]:
    """Return what axe finds on the page that is shown: impact, rule, element and reason."""
    driver.execute_script(script())
    found: Any = driver.execute_async_script(RUN)
    return list(found)
