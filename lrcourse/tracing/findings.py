"""What lint finds: each finding names the update, the group, the value and the mend."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lrcourse.support.checks import each, kind


@dataclass(frozen=True)
class Finding:
    """One thing that looks wrong.

    `code` is a short word for programs. `update` counts from 0, `group` too and is None where
    the whole schedule is meant, `value` is the LR (or momentum) there, NaN where there is none.
    `message` says what is wrong and `mend` what would be right.
    """

    code: str
    update: int
    group: int | None
    value: float
    message: str
    mend: str

    def __str__(self) -> str:
        return "\n".join(
            textwrap.fill(text, 98, subsequent_indent="    ", break_on_hyphens=False)
            for text in (f"{self.code}: {self.message}", f"    Mend: {self.mend}")
        )


class Findings(tuple[Finding, ...]):
    """The `findings` in order of their update; prints them, or "nothing found".

    Example:
        >>> from lrcourse import schedules, tracing
        >>> findings = tracing.lint(schedules.cosine(300), updates=100)
        >>> findings.codes
        ('ends-late',)
        >>> [finding.update for finding in findings]
        [99]
        >>> print(tracing.Findings())
        nothing found
    """

    __slots__ = ()

    def __new__(cls, findings: Iterable[Finding] = ()) -> Findings:
        checked = each(kind("a Finding", Finding), least=0)("Findings", "findings", findings)
        return super().__new__(cls, sorted(checked, key=lambda one: one.update))

    @property
    def codes(self) -> tuple[str, ...]:
        """The code of each finding."""
        return tuple(each.code for each in self)

    def __str__(self) -> str:
        return "\n".join(map(str, self)) if self else "nothing found"

    def __repr__(self) -> str:
        return f"<Findings: {', '.join(self.codes)}>" if self else "<Findings: nothing found>"


def which(names: Sequence[str], groups: Sequence[int]) -> str:
    """Some of the groups in words: nothing where there is only one at all."""
    if len(names) == 1:
        return ""
    if len(groups) == len(names):
        return f" in all {len(groups)} groups"
    more = f" and {len(groups) - 3} more" if len(groups) > 3 else ""
    return f" in {', '.join(names[g] for g in groups[:3])}{more}"
