"""Schedules against transformers, timm and fastai, and the table of everybody's spellings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.fastai_spellings import fitted
from helpers.peers import METRICS, peer, timm_trace, torch_trace
from helpers.spellings import SPELLINGS

from lrcourse import schedules
from lrcourse.schedules import cosine, multistep, plateau, power, restarts, step, warmup, wsd

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

ENTRIES = [
    pytest.param(spelling, id=f"{library}-{name}")
    for library, table in SPELLINGS.items()
    for name, spelling in table.items()
]


def upstream(library: str) -> set[str]:
    if library == "torch":
        return set(torch.optim.lr_scheduler.__all__)
    if library == "transformers":
        return {each.value for each in peer("transformers").SchedulerType}
    if library == "timm":
        names = dir(peer("timm.scheduler"))
        return {name for name in names if name.endswith("LRScheduler")}
    names = peer("fastai.callback.schedule").__all__
    fits = set(dir(peer("fastai.learner").Learner)) - {"fit"}  # at one rate
    return (
        {name for name in names if name.startswith(("Sched", "combine"))}
        | {name for name in fits if name.startswith("fit_") or name == "fine_tune"}
        | {name for name in dir(peer("fastai.callback.tracker")) if name.startswith("ReduceLR")}
    )


@pytest.mark.parametrize("library", ["torch", "transformers", "timm", "fastai"])
def test_every_upstream_schedule_is_in_the_table(library):
    missing = upstream(library) - set(SPELLINGS[library])
    version = peer(library).__version__
    assert not missing, (
        f"{library} {version} has schedules that tests/helpers/spellings.py does not know: "
        f"{', '.join(sorted(missing))}. Give each a spelling there, or a sentence why not."
    )


@pytest.mark.parametrize("spelling", ENTRIES)
def test_every_entry_has_a_spelling_or_a_sentence(spelling):
    assert bool(spelling.ours) == bool(spelling.theirs)
    assert spelling.ours or len(spelling.note.split()) > 5


@pytest.mark.parametrize("spelling", [entry for entry in ENTRIES if entry.values[0].ours])
def test_the_spelling_gives_the_same_rates(spelling):
    ours = eval(spelling.ours, vars(schedules))
    theirs = spelling.theirs(spelling.updates)
    if isinstance(ours, plateau):
        state = ours.start()
        factors = [state.observe(metric) for metric in METRICS]
        assert len(set(factors)) > 2  # the example does lower the rate, more than once
    else:
        factors = ours(range(spelling.updates))
    np.testing.assert_allclose(factors, theirs, rtol=1e-9, atol=1e-12)


# fastai, whose formulas are in the table

POSITION = 1e-6  # combine_scheds keeps its limits in float32: rounding, times the steepest slope


@pytest.mark.parametrize("spelling", [entry for entry in ENTRIES if entry.values[0].real])
def test_the_formula_is_what_fastai_does(spelling):
    real = spelling.real(spelling.updates)
    assert len(real) == spelling.updates
    np.testing.assert_allclose(spelling.theirs(spelling.updates), real, atol=POSITION)
    ours = eval(spelling.ours, vars(schedules))
    np.testing.assert_allclose(ours(range(spelling.updates)), real, atol=POSITION)


def test_every_spelling_of_fastai_is_compared_with_fastai_itself():
    spelled = [each for each in SPELLINGS["fastai"].values() if each.ours]
    assert len(spelled) > 10
    assert all(
        each.real or "ReduceLR" in name for name, each in SPELLINGS["fastai"].items() if each.ours
    )


def test_fastai_may_restart_one_update_late_and_ours_does_not():
    theirs = fitted(lambda learner: learner.fit_sgdr(3, 1), 5)
    ours = schedules.restarts(5, multiply=2)(range(35))
    assert len(theirs) == 35
    late = np.flatnonzero(np.abs(ours - theirs) > POSITION)
    assert late.tolist() == [15]  # 1/7 + 2/7 is above 3/7 in float32
    assert (ours[15], theirs[15]) == (1, pytest.approx(0, abs=POSITION))


# transformers, over a grid


@pytest.mark.parametrize("warm", [0, 1, 7])
@pytest.mark.parametrize("total", [30, 101])
@pytest.mark.parametrize("decay", ["linear", "cosine", "1-sqrt"])
def test_wsd_of_transformers(warm, total, decay):
    get_wsd = peer("transformers").get_wsd_schedule
    theirs = torch_trace(
        lambda o: get_wsd(o, warm, 10, num_training_steps=total, decay_type=decay), total + 5
    )
    shape = warmup(warm, start=0).then(wsd(total - warm, 0, 10, tail=decay.removeprefix("1-")))
    np.testing.assert_allclose(shape(range(total + 5)), theirs, atol=1e-12)


@pytest.mark.parametrize(("warm", "timescale"), [(5, 5), (5, 20), (0, 100)])
def test_inverse_sqrt_of_transformers(warm, timescale):
    get_inverse_sqrt = peer("transformers").get_inverse_sqrt_schedule
    theirs = torch_trace(lambda o: get_inverse_sqrt(o, warm, timescale=timescale), 60)
    # Theirs counts from t = 0 with a shift, so that the value after the warmup is 1.
    shape = warmup(warm, start=0).then(power(timescale=timescale))
    np.testing.assert_allclose(shape(range(60)), theirs, rtol=1e-12)


def test_the_cosine_of_transformers_rises_after_its_end_and_ours_holds():
    get_cosine = peer("transformers").get_cosine_schedule_with_warmup
    theirs = torch_trace(lambda o: get_cosine(o, 3, 10), 12)
    shape = warmup(3, start=0).then(cosine(7))
    np.testing.assert_allclose(shape(range(11)), theirs[:11], atol=1e-12)
    assert theirs[11] == pytest.approx(0.0495, abs=1e-4)
    assert shape(11) == 0


def test_the_first_update_of_transformers_is_wasted_and_ours_is_not():
    get_linear = peer("transformers").get_linear_schedule_with_warmup
    assert torch_trace(lambda o: get_linear(o, 5, 20), 1) == [0]
    assert warmup(5)(0) == 0.2


# timm, over a grid


@pytest.mark.parametrize("multiply", [1, 2, 3])
@pytest.mark.parametrize("decay", [1.0, 0.5])
@pytest.mark.parametrize("floor", [0.0, 0.2])
def test_restarts_of_timm(multiply, decay, floor):
    scheduler = peer("timm.scheduler").CosineLRScheduler
    theirs = timm_trace(
        lambda o: scheduler(
            o,
            t_initial=4,
            cycle_mul=multiply,
            cycle_decay=decay,
            cycle_limit=99,
            lr_min=floor,
        ),
        50,
    )
    # Below lr_min timm's peak goes on sinking, and its cosine turns upside down.
    cycles = [cycle for cycle in range(12) if decay**cycle >= floor]
    until = min(50, sum(4 * multiply**cycle for cycle in cycles))
    shape = restarts(4, multiply=multiply, floor=floor, decay=decay)
    np.testing.assert_allclose(shape(range(until)), theirs[:until], atol=1e-12)


def test_timm_without_prefix_jumps_and_never_reaches_the_peak():
    scheduler = peer("timm.scheduler").CosineLRScheduler
    theirs = timm_trace(lambda o: scheduler(o, t_initial=10, warmup_t=3), 10)
    assert theirs[2:4] == pytest.approx([0.667, 0.794], abs=1e-3)
    assert max(theirs) < 0.8
    assert max(warmup(3).then(cosine(7))(range(10))) == 1


def test_timm_milestones_act_one_early():
    scheduler = peer("timm.scheduler").MultiStepLRScheduler
    theirs = timm_trace(lambda o: scheduler(o, decay_t=[5, 8], decay_rate=0.1), 12)
    np.testing.assert_allclose(multistep([4, 7], 0.1)(range(12)), theirs, rtol=1e-12)
    assert multistep([5, 8], 0.1)(4) != theirs[4]


@pytest.mark.parametrize("every", [1, 3, 10])
def test_step_of_timm(every):
    scheduler = peer("timm.scheduler").StepLRScheduler
    theirs = timm_trace(lambda o: scheduler(o, decay_t=every, decay_rate=0.7), 25)
    np.testing.assert_allclose(step(every, 0.7)(range(25)), theirs, rtol=1e-12)


def test_reciprocal_square_root_with_cooldown_of_timm():
    scheduler = getattr(peer("timm.scheduler"), "WSDLRScheduler", None)
    if scheduler is None:
        peer("timm.scheduler.wsd_lr")
    theirs = timm_trace(
        lambda o: scheduler(
            o, t_initial=40, decay_t=10, stable_fn="rsqrt", decay_fn="linear", warmup_t=5
        ),
        60,
    )
    shape = warmup(5, start=0).then(power(timescale=5) * wsd(40, 0, 10))
    np.testing.assert_allclose(shape(range(60)), theirs, atol=1e-12)
