"""`spell`: code for other libraries, each run there; `from_torch`: a shape from a scheduler."""

import os

import numpy as np
import pytest
import torch
from helpers.peers import peer, sgd, timm_trace, torch_trace
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from lrcourse import schedules as s
from lrcourse.schedules.spelling import FRAMEWORKS

UPDATES = 70
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


def halving(t):
    return 0.5**t


SHAPES = [
    s.constant(),
    s.constant(0.5),
    s.step(7, 0.5),
    s.multistep((5, 20), 0.2),
    s.exponential(0.9),
    s.exponential(0.9, floor=0.05),
    s.power(),
    s.power(-1, timescale=5),
    s.polynomial(30, exponent=2),
    s.polynomial(30, exponent=0.5, floor=0.1),
    s.linear(30),
    s.linear(30, floor=0.25),
    s.cosine(30),
    s.cosine(30, floor=0.1),
    s.cosine(30.5),
    s.restarts(12),
    s.restarts(12, floor=0.1, decay=0.5),
    s.restarts(5, multiply=2),
    s.cyclical(7, 0.1),
    s.cyclical(7, 0.1, window="hann", scale=s.triangular2),
    s.cyclical(7, 0.1, window="welch", scale=s.exp_range(0.97)),
    s.one_cycle(40),
    s.one_cycle(40, warmup=0, anneal="linear"),
    s.warmup(5),
    s.warmup(5, start=0),
    s.warmup(5, start=0.1),
    s.warmup(5, start=0.1, ramp="constant"),
    s.warmup(5, start=0.1, ramp="geometric"),
    s.warmup(5, ramp="power"),
    s.warmup(5, start=0.1, ramp="power", exponent=2),
    s.warmup(20, ramp="exponential"),
    s.warmup(None, ramp="exponential", tau=7),
    s.wsd(60, 10, 20),
    s.wsd(60, 0, 20, floor=0.1, tail="sqrt"),
    s.wsd(60, 10, 0),
    s.wsd(60, 10, 20, tail="cosine"),
    s.warmup(5, start=0).then(s.cosine(25)),
    s.warmup(5, start=0).then(s.linear(25)),
    s.warmup(5, start=0).then(s.power(timescale=5)),
    s.warmup(5, start=0).then(s.step(6, 0.5)),
    s.warmup(5, start=0).then(s.polynomial(30, exponent=0.5)),
    s.warmup(5).then(s.cosine(25, floor=1 / 30), after=4),
    s.warmup(5).then(s.cosine(10)).then(s.constant(0.5) * s.warmup(5)),
    0.5 * s.warmup(5, start=0.1) * s.exponential(0.9),
    s.warmup(0).then(s.linear(9)),
    s.from_function("math:exp", length=1) * s.linear(20),
]
KEPT = {"torch": 1e-12, "lightning": 1e-12, "transformers": 1e-12, "timm": 1e-12}
TO_FLOAT32 = 3e-6


def rates(framework, code, updates):
    """The first rates of the code, at the peak rate 1."""
    space = {"lr": 1.0}
    if framework == "optax":
        exec(code, space)
        return [float(space["schedule"](t)) for t in range(updates)]
    if framework == "keras":
        exec(code, space)
        return [float(space["schedule"](t)) for t in range(updates)]

    def made(optimizer):
        space["optimizer"] = optimizer
        exec(code, space)
        return (
            space["configured"]["lr_scheduler"]["scheduler"]
            if framework == "lightning"
            else (space["scheduler"])
        )

    return (timm_trace if framework == "timm" else torch_trace)(made, updates)


def needs(framework):
    if framework == "keras":
        os.environ.setdefault("KERAS_BACKEND", "torch")
    for name in {"optax": ("jax", "optax")}.get(framework, (framework,)):
        peer(name)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_the_code_gives_the_same_rates_or_a_reason_is_told(framework, shape):
    try:
        code = s.spell(shape, framework)
    except s.NoSpelling as reason:
        assert len(str(reason).split()) > 10
        assert framework == "timm" or "from_function" in repr(shape) or "multiply" in repr(shape)
        return
    needs(framework)
    count = UPDATES if code.until is None else int(code.until) + 1
    found, tolerance = rates(framework, code, count), KEPT.get(framework, TO_FLOAT32)
    np.testing.assert_allclose(found, shape(range(count)), rtol=tolerance, atol=tolerance)
    assert (code.until is None) == ("rises again" not in code)


@settings(max_examples=60, deadline=None)
@given(
    rise=st.integers(0, 9),
    total=st.integers(1, 40),
    floor=st.floats(0, 1),
    start=st.none() | st.floats(0, 1),
    fall=st.sampled_from([s.cosine, s.linear, s.polynomial]),
)
def test_a_warmup_and_a_fall_are_spelt_in_torch_whatever_their_numbers(
    rise, total, floor, start, fall
):
    shape = s.warmup(rise, start=start).then(fall(total, floor=floor))
    found = rates("torch", s.spell(shape, "torch"), 60)
    np.testing.assert_allclose(found, shape(range(60)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "framework", "name"),
    [
        (s.step(7, 0.5), "torch", "StepLR("),
        (s.cosine(30), "torch", "CosineAnnealingLR("),
        (s.warmup(5, start=0).then(s.cosine(25)), "transformers", 'get_scheduler("cosine"'),
        (s.warmup(5, start=0).then(s.linear(25)), "transformers", 'get_scheduler("linear"'),
        (s.warmup(5, start=0).then(s.power(timescale=5)), "transformers", '"inverse_sqrt"'),
        (s.warmup(5, start=0).then(s.cosine(25)), "timm", "CosineLRScheduler("),
    ],
)
def test_a_name_of_the_library_is_used_where_it_has_one(shape, framework, name):
    assert name in s.spell(shape, framework)


def test_lightning_applies_the_rates():
    shape, applied = s.warmup(3).then(s.cosine(5)), []
    lightning = peer("lightning")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Linear(1, 1)

        def training_step(self, batch, index):
            applied.append(self.optimizers().param_groups[0]["lr"])
            return self.net(batch).mean()

        def configure_optimizers(self):
            space = {"optimizer": torch.optim.SGD(self.parameters(), lr=1.0)}
            exec(s.spell(shape, "lightning"), space)
            return space["configured"]

    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", **quiet)
    trainer.fit(Module(), torch.utils.data.DataLoader(torch.ones(4, 1)))
    np.testing.assert_allclose(applied, shape(range(8)), rtol=1e-12, atol=1e-12)


def test_optax_applies_the_rates():
    optax, jnp = peer("optax"), peer("jax.numpy")
    shape, space = s.warmup(3).then(s.cosine(5)), {"lr": 0.5}
    exec(s.spell(shape, "optax"), space)
    optimizer = optax.sgd(space["schedule"])
    state = optimizer.init(jnp.zeros(()))
    for t in range(8):
        update, state = optimizer.update(jnp.ones(()), state)
        assert -float(update) == pytest.approx(0.5 * shape(t), abs=1e-6)


def test_keras_applies_the_rates():
    needs("keras")
    import keras

    shape, space = s.warmup(3).then(s.cosine(5)), {"lr": 0.5}
    exec(s.spell(shape, "keras"), space)
    optimizer = keras.optimizers.SGD(space["schedule"])
    weight = keras.Variable([0.0])
    optimizer.build([weight])
    for t in range(8):
        before = float(keras.ops.convert_to_numpy(weight)[0])
        optimizer.apply([keras.ops.ones(1)])
        assert before - float(keras.ops.convert_to_numpy(weight)[0]) == pytest.approx(
            0.5 * shape(t), abs=1e-6
        )


def test_what_has_no_code_says_why():
    for shape, framework, message in [
        (s.from_function(lambda t: 1.0), "torch", "cannot be imported"),
        (s.from_function("math:exp"), "optax", "arrays that are traced"),
        (s.restarts(5, multiply=2), "keras", "without a search for the cycle"),
        (s.cyclical(5, 0.1, scale=lambda cycle, t: 1.0), "torch", "a scale of your own"),
        (s.one_cycle(40), "timm", "takes no function"),
    ]:
        with pytest.raises(s.NoSpelling, match=message):
            s.spell(shape, framework)
    with pytest.raises(ValueError, match="framework must be one of 'torch'"):
        s.spell(s.step(5, 0.5), "torhc")


# -- from_torch -------------------------------------------------------------------------------

SCHEDULERS = {
    "step": lambda o: lr_scheduler.StepLR(o, 7, 0.3),
    "multistep": lambda o: lr_scheduler.MultiStepLR(o, [5, 20], 0.2),
    "constant": lambda o: lr_scheduler.ConstantLR(o, 0.25, 6),
    "linear up": lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=6),
    "linear down": lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, total_iters=6),
    "linear below": lambda o: lr_scheduler.LinearLR(o, 0.2, 0.5, total_iters=6),
    "linear still": lambda o: lr_scheduler.LinearLR(o, 0.5, 0.5, total_iters=6),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, 30, power=2),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 39, eta_min=0.01),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2, eta_min=0.01),
    "function": lambda o: lr_scheduler.LambdaLR(o, halving),
    "sequential": lambda o: lr_scheduler.SequentialLR(
        o,
        [lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.CosineAnnealingLR(o, 35)],
        [5],
    ),
    "chained": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
}
WITH_MAX = {
    "triangular2": lambda o: lr_scheduler.CyclicLR(
        o, 0.1, 1.0, step_size_up=4, mode="triangular2", cycle_momentum=False
    ),
    "exp_range": lambda o: lr_scheduler.CyclicLR(
        o, 0.1, 1.0, step_size_up=4, mode="exp_range", gamma=0.97, cycle_momentum=False
    ),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(
        o, 1.0, total_steps=40, anneal_strategy="linear", cycle_momentum=False
    ),
}


@pytest.mark.parametrize("name", [*SCHEDULERS, *WITH_MAX])
def test_the_shape_of_a_scheduler_gives_its_rates(name):
    build, lr = (SCHEDULERS | WITH_MAX)[name], 0.1 if name in SCHEDULERS else 1.0
    optimizer = sgd(lr)
    scheduler = build(optimizer)
    before = repr(scheduler.state_dict()), repr(optimizer.param_groups)
    shape = s.from_torch(scheduler)
    assert (repr(scheduler.state_dict()), repr(optimizer.param_groups)) == before
    np.testing.assert_allclose(
        lr * shape(range(40)), torch_trace(build, 40, lr), rtol=1e-9, atol=1e-12
    )
    for _ in range(7):
        optimizer.step()
        scheduler.step()
    assert s.from_torch(scheduler) == shape, "it is that of its t = 0, wherever it is"


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_what_to_torch_made_is_the_shape_it_was_made_from(shape):
    assert s.from_torch(s.to_torch(shape, sgd())) == shape


def test_a_scheduler_of_transformers_is_one_of_torch():
    get_scheduler = peer("transformers").get_scheduler
    shape = s.from_torch(get_scheduler("cosine", sgd(), 4, 40))
    np.testing.assert_allclose(shape(range(41)), s.warmup(4, start=0).then(s.cosine(36))(range(41)))


def two_groups():
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.1, 0.2)]
    return torch.optim.SGD(groups)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: lr_scheduler.MultiplicativeLR(sgd(), lambda t: 0.9), "product of a function's"),
        (lambda: lr_scheduler.ReduceLROnPlateau(sgd()), "the rule plateau"),
        (lambda: torch.optim.swa_utils.SWALR(sgd(), 0.05), "when it begins"),
        (lambda: lr_scheduler.CosineAnnealingLR(two_groups(), 9, eta_min=0.01), "each group"),
        (lambda: lr_scheduler.LambdaLR(two_groups(), [halving, abs]), "one for each"),
        (
            lambda: lr_scheduler.CyclicLR(sgd(), 0.1, 1, 4, 5, cycle_momentum=False),
            "halves are not equal",
        ),
        (
            lambda: lr_scheduler.OneCycleLR(sgd(), 1, 40, three_phase=True, cycle_momentum=False),
            "three_phase",
        ),
        (lambda: lr_scheduler.OneCycleLR(sgd(), 1, 37, cycle_momentum=False), "never reached"),
        (lambda: lr_scheduler.MultiStepLR(sgd(), [5, 5]), "differ from each other"),
    ],
)
def test_a_scheduler_that_no_shape_describes_says_why(build, message):
    with pytest.raises(s.NoSpelling, match=message):
        s.from_torch(build())


def test_what_is_no_scheduler_is_refused():
    with pytest.raises(TypeError, match="scheduler must be a scheduler of torch"):
        s.from_torch(s.step(5, 0.5))
