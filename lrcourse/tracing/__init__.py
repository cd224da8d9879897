"""What a scheduler of any library will do to an optimizer, and what is wrong with it."""

from lrcourse.tracing.findings import Findings
from lrcourse.tracing.log import Log
from lrcourse.tracing.tracer import lint, record, trace

__all__ = ["Findings", "Log", "lint", "record", "trace"]
