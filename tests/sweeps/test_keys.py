"""The keys of records never change: finished runs stay valid."""

import pytest

from lrcourse import schedules as s
from lrcourse.sweeps import Experiment

PINNED = {
    "00f5913acefd678fc873718410f1365e": Experiment(),
    "0a665d98f1a7fecb001669a45c11b438": Experiment(
        model="mlp",
        data="digits",
        lr=0.3,
        seed=7,
        schedule=s.warmup(5).then(s.cosine(25, floor=1 / 30)),
        when="epoch",
    ),
    "a23764ac9c86f10430368535efa98924": Experiment(
        model="mlp", optimizer="adam", lr=1e-3, valid=0.2, clip_norm=1.0, evaluate="end"
    ),
    "10dd332156b3ed956bd4b216fb01f84a": Experiment(
        data="fashion-mnist", epochs=30, batch_size=256, schedule=s.one_cycle(100)
    ),
    "3264e0ad105aca175d41c0313929df5d": Experiment(
        model="resnet",
        model_options={"depth": 8},
        optimizer="momentum",
        optimizer_options={"weight_decay": 5e-4},
        schedule=s.plateau(),
        seed=3,
    ),
}


@pytest.mark.parametrize("key", PINNED)
def test_a_key_stays(key):
    assert PINNED[key].key == key
