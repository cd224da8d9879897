"""page.js under Node: one process that answers a line of JSON with another."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest

from lrcourse.playground.page import SCRIPT

_ANSWER = """
import { createInterface } from "node:readline";
const module = await import(process.argv[2]);
const answers = {
  simulate(setting) {
    const run = module.simulate(setting);
    const lists = ["xs", "ys", "losses", "lr", "planned"].map((name) => [name, [...run[name]]]);
    return { ...Object.fromEntries(lists), divergedAt: run.divergedAt,
      verdict: module.verdict(run), edge: module.edge(setting) };
  },
  normals: ([seed, updates]) => [...module.normals(seed, updates)].slice(0, 2 * updates),
  figure: (number) => module.figure(number),
  offered() {
    const { SURFACES, OPTIMIZERS, SCHEDULES, DEFAULTS, LIMIT } = module;
    return { SURFACES, OPTIMIZERS, SCHEDULES, DEFAULTS, LIMIT, main: Object.keys(module.default) };
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, given] = JSON.parse(line);
  console.log(JSON.stringify(answers[name](given)));
}
"""


class Node:
    """``ask(name, given)`` calls one of the answers above."""

    def __init__(self, folder) -> None:
        (folder / "playground.mjs").write_text(SCRIPT.read_text(encoding="utf-8"))
        (folder / "answer.mjs").write_text(_ANSWER)
        self._process = subprocess.Popen(
            ["node", "answer.mjs", "./playground.mjs"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, name, given=None):
        self._process.stdin.write(json.dumps([name, given]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "node gave no answer: its error is above"
        return json.loads(line)

    def close(self) -> None:
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    process = Node(tmp_path_factory.mktemp("node"))
    yield process
    process.close()


def numbers(answered) -> np.ndarray:
    """Numbers from Node; JSON has no infinity and no NaN, which come as null."""
    return np.array([np.nan if each is None else each for each in answered], float)
