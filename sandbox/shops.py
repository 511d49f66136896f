"""The shops that ``python3 -m sandbox --shop …`` can run: the demo store, and every folder of ``examples/``.

An example is a Django project of its own. Here it needs three files: ``manage.py``; a command ``load_demo``, which is
run at every start; and ``demo.txt``, its banner, whose first line names the shop. Of the environment it reads
``PORT``, ``KHALTI_BASE_URL`` and ``SANDBOX_VAR``, the folder that it writes to, with its database ``store.sqlite3``.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.bootstrap import DEFAULT_SHOP, EXAMPLES, ROOT

GUNICORN = (
    *("--workers", "2", "--worker-class", "gthread", "--threads", "4"),
    *("--log-level", "warning", "--no-control-socket", "--graceful-timeout", "5"),
)
STORE_BANNER = """\
Saraswati Stationery is running:  {site}/

    {site}/shop/             the shop
    {site}/admin/            Wagtail: pages, payments, members, settings, reports (editor, accountant, admin)
    {site}/shop/dashboard/   Oscar's dashboard (admin)
    {site}/sandbox/mail/     the mails that the store has sent
    {khalti}   Khalti{which}

  Accounts, all with the password  saraswati-demo
    sita@example.com   a customer with 1,200 points
    ram@example.com    a customer with 300 points
    gita@example.com   a customer without points
    editor             pages, orders, refunds, points, settings, reports
    accountant         payments and reports
    admin              everything

  What to try
    1 As sita, buy pens, use 200 points and pay on Khalti's page{login}
    2 Cancel there instead: basket and points are unchanged.
    3 Pay, but close the tab before it returns to the store; then complete the order with
      {manage} khalti_reconcile
    4 Check every rupee and every point with
      {manage} loyalink_audit --json

  Ctrl-C stops the store; --reset deletes its data first.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoShop:
    """How a shop of the sandbox is loaded, started and shown."""

    name: str
    banner: str
    var: Path
    """The folder that it writes to."""
    database_url: str
    """Its database where that is not a file in ``var``."""
    manage: tuple[str, ...]
    """The arguments of this Python for its management commands."""
    shown_manage: str
    """The same, for a terminal in the project's folder."""
    path: str = ""
    """The path below which it is served."""

    def server(self, address: str) -> list[str]:
        """Return the command that serves it at ``address``, a host and a port."""
        if self.name == DEFAULT_SHOP:
            return [sys.executable, "-m", "gunicorn", "sandbox.wsgi:application", "--bind", address, *GUNICORN]
        return [sys.executable, *self.manage, "runserver", "--noreload", address]

    def health(self, address: str) -> str:
        """Return a page that answers 200 while the shop runs."""
        return f"http://{address}{self.path}{'/healthz' if self.name == DEFAULT_SHOP else '/'}"

    def environment(self) -> dict[str, str]:
        """Return the environment variables of its processes; gunicorn serves the store below the path."""
        return {"SANDBOX_VAR": str(self.var), **({"SCRIPT_NAME": self.path} if self.path else {})}


def demo_shop(name: str, environ: Mapping[str, str] = os.environ) -> DemoShop:
    """Return the demo store, or the example of this name."""
    chosen = environ.get("SANDBOX_VAR") or ""
    if name == DEFAULT_SHOP:
        return DemoShop(
            name=name,
            banner=STORE_BANNER,
            var=Path(chosen or ROOT / "sandbox" / "var"),
            database_url=environ.get("DATABASE_URL") or "",
            manage=("-m", "sandbox.manage"),
            shown_manage="-m sandbox.manage",
            path=urlsplit((environ.get("SITE_URL") or "").rstrip("/")).path,
        )
    folder = ROOT / EXAMPLES / name
    return DemoShop(
        name=name,
        banner=(folder / "demo.txt").read_text(),
        var=Path(chosen or folder / "var"),
        database_url="",
        manage=(str(folder / "manage.py"),),
        shown_manage=f"{EXAMPLES}/{name}/manage.py",
    )
