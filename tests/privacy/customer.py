"""A customer whom no log may name. Apart from the host, whose source error pages quote."""

from loyalink_khalti.ports import Customer

NAME, EMAIL, MOBILE = "Canary Sharma", "canary@customer.example", "9811122233"
CUSTOMER = Customer(name=NAME, email=EMAIL, phone=MOBILE)
