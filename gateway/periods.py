"""What budgets count, and when they start anew."""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """What a budget counts."""

    NANODOLLARS = "nanodollars"
    TOKENS = "tokens"


class Period(StrEnum):
    """When a budget starts anew; calendar windows in UTC, weeks from Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"
