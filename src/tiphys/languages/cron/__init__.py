"""
Cron schedules as robfig/cron reads them, with the previous time as Argo Events derives it.

``parse("30 6 * * 1-5")`` returns a :class:`Schedule`; its ``next`` and ``previous`` take aware
datetimes. :class:`Interval` is a fixed delay, and ``parse_exclusion_dates`` reads the ``EXDATE:``
entries of calendars. Broken texts raise CompileError.
"""

from tiphys.languages.cron._exclusion import parse_exclusion_dates
from tiphys.languages.cron._parse import parse
from tiphys.languages.cron._schedule import CronSchedule, Interval, Schedule

__all__ = ["CronSchedule", "Interval", "Schedule", "parse", "parse_exclusion_dates"]
