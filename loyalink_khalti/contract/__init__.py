"""The contract that every shop keeps, as tests. Import ``ShopContract`` from ``loyalink_khalti.testing``.

Each test says what it found wrong with the shop and what follows from it. ``tests/flow/wrong_hosts.py``
has the wrong hosts that they find.
"""

from .carts import CartContract
from .concurrency import ConcurrencyContract
from .deletions import DeletionContract
from .fixtures import paid_for
from .orders import OrderContract
from .pages import PageContract
from .refunds import RefundContract
from .releases import ReleaseContract

__all__ = ["ShopContract", "paid_for"]


class ShopContract(
    CartContract,
    OrderContract,
    ReleaseContract,
    RefundContract,
    DeletionContract,
    ConcurrencyContract,
    PageContract,
):
    """What the flow relies on. Subclass it as ``Test…`` and define these fixtures::

    shop             your Shop
    cart             a Cart that redeems no points and that your own freeze has just made in the test's database: two
                     or more of a product, with a delivery charge if your shop has any
    cart_with_points a Cart like it that redeems points, and their value in paisa; ``pytest.skip`` in it if your shop
                     redeems none
    stock            a function that returns how many of each product can still be sold: ``{sku: 18}``
    sell_out         a function that sells to others all that is left of the Cart's products
    delete_order     a function that deletes the Cart's order in the database, past whatever refuses that
    freeze_again     optional: a function that freezes the Cart's basket a second time, as a double click would

    There must be stock for three such Carts. Run the tests on PostgreSQL too: on SQLite no test can find a missing
    lock.
    """
