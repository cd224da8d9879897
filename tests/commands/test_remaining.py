"""How long the rest of a run will take."""

import pytest

from lrcourse.commands.remaining import Remaining, measured


def test_measured_times_are_those_of_the_scale_on_a_cpu(tmp_path):
    table = tmp_path / "run-times.csv"
    table.write_text(
        "chapter,scale,device,seconds\na,small,CPU,10\na,full,CPU,99\nb,small,CUDA,3\nb,small,CPU,20\n"
    )
    assert measured(table, "small") == {"a": 10, "b": 20}


@pytest.mark.parametrize("content", [None, "", "chapter,scale\na,small\n", "\udcff"])
def test_without_a_table_nothing_is_known(tmp_path, content):
    table = tmp_path / "run-times.csv"
    if content is not None:
        table.write_bytes(content.encode(errors="surrogateescape"))
    assert measured(table, "small") == {}
    assert Remaining(["a"], {}).seconds is None


def test_a_slower_machine_is_seen_after_a_chapter():
    rest = Remaining("abc", {"a": 10, "b": 20, "c": 30})
    assert rest.seconds == 60
    rest.done("a", 25.0)
    assert rest.seconds == 2.5 * 50
    rest.done("b", 20.0)
    assert rest.seconds == pytest.approx(45 / 30 * 30)
    rest.done("c", 1.0)
    assert rest.seconds is None


def test_a_notebook_that_was_never_measured_counts_as_the_others():
    assert Remaining("abx", {"a": 10, "b": 20}).seconds == 45
