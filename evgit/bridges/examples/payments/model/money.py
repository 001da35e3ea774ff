"""Amounts come in the smallest unit of their currency, as integers."""

_WITHOUT_CENTS = {"jpy", "krw", "vnd"}


def written(amount, currency):
    """1099, "usd" -> "10.99 USD"."""
    if currency in _WITHOUT_CENTS:
        return f"{amount} {currency.upper()}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02d} {currency.upper()}"
