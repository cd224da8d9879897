"""What a scheduler of any library will do to an optimizer, and what is wrong with it."""

from lrcourse.tracing.figure import trace
from lrcourse.tracing.findings import Findings
from lrcourse.tracing.tracer import lint, record

__all__ = ["Findings", "lint", "record", "trace"]
