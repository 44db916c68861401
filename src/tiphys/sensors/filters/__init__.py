"""Filters: which events of a dependency count (spec: sensors 5)."""

from tiphys.sensors.filters._combine import DependencyFilter, compile_filters
from tiphys.sensors.filters._verdict import Verdict

__all__ = ["DependencyFilter", "Verdict", "compile_filters"]
