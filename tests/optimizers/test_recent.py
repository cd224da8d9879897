"""Recent optimizers from their libraries: built as those ask, and stepping as their papers say."""

import pytest
import torch
from torch import nn

from lrcourse import data, models, training
from lrcourse import schedules as s
from lrcourse.optimizers import recent as recent_optimizers
from lrcourse.recorder import Recorder


def gradients(net, seed=0):
    draw = torch.Generator().manual_seed(seed)
    for w in net.parameters():
        w.grad = torch.randn(w.shape, generator=draw)


def net():
    return models.mlp(3, 8, inputs=4, classes=3)


def test_lion_against_its_formula():
    pytest.importorskip("lion_pytorch")
    one = net()
    optimizer = recent_optimizers.build("lion", one, 0.01)
    expected = [w.detach().clone() for w in one.parameters()]
    means = [torch.zeros_like(w) for w in expected]
    for t in range(5):
        gradients(one, t)
        grads = [w.grad.clone() for w in one.parameters()]
        optimizer.step()
        for k, g in enumerate(grads):
            expected[k] = expected[k] - 0.01 * (0.9 * means[k] + 0.1 * g).sign()
            means[k] = 0.99 * means[k] + 0.01 * g
    for w, other in zip(one.parameters(), expected, strict=True):
        torch.testing.assert_close(w.detach(), other)


def test_muon_takes_the_matrices_and_adamw_the_rest():
    one = net()
    optimizer = recent_optimizers.build("muon", one, 0.02, adam_lr=0.005)
    muon, adamw = optimizer.members
    assert [w.ndim for group in muon.param_groups for w in group["params"]] == [2, 2, 2]
    assert [w.ndim for group in adamw.param_groups for w in group["params"]] == [1, 1, 1]
    assert [group["lr"] for group in optimizer.param_groups] == [0.02, 0.005]
    gradients(one)
    before = [w.detach().clone() for w in one.parameters()]
    optimizer.step()
    assert not any(torch.equal(w, old) for w, old in zip(one.parameters(), before, strict=True))
    optimizer.zero_grad()
    assert all(w.grad is None for w in one.parameters())


def test_together_is_what_the_members_do_alone():
    torch_pair = net()
    matrices, others = ([w for w in torch_pair.parameters() if (w.ndim == 2) is flat]
                        for flat in (True, False))  # fmt: skip
    alone = torch.optim.Muon(matrices, lr=0.02), torch.optim.AdamW(others, lr=0.003)
    one = net()
    together = recent_optimizers.build("muon", one, 0.02)
    for t in range(3):
        gradients(one, t)
        gradients(torch_pair, t)
        together.step()
        for optimizer in alone:
            optimizer.step()
    for w, other in zip(one.parameters(), torch_pair.parameters(), strict=True):
        torch.testing.assert_close(w, other)


def test_together_goes_on_from_a_saved_state(tmp_path):
    nets = net(), net()
    first, second = (recent_optimizers.build("muon", one, 0.02) for one in nets)
    for t in range(2):
        gradients(nets[0], t)
        first.step()
    first.param_groups[0]["lr"] = 0.01
    torch.save({"net": nets[0].state_dict(), "optimizer": first.state_dict()}, tmp_path / "kept")
    kept = torch.load(tmp_path / "kept")
    nets[1].load_state_dict(kept["net"])
    second.load_state_dict(kept["optimizer"])
    assert [group["lr"] for group in second.param_groups] == [0.01, 0.003]
    for one, optimizer in zip(nets, (first, second), strict=True):
        gradients(one, 2)
        optimizer.param_groups[1]["lr"] = 0.002  # is written for the members, too
        optimizer.step()
    for w, other in zip(*(one.parameters() for one in nets), strict=True):
        torch.testing.assert_close(w, other, rtol=0, atol=0)
    with pytest.raises(ValueError, match="a state of 0 members for 2 optimizers"):
        second.load_state_dict(torch.optim.SGD(net().parameters(), lr=1.0).state_dict())


def test_the_loop_schedules_and_records_all_groups():
    digits = data.load("digits", device="cpu", progress=False).subset(64)
    one = models.build("mlp", data=digits, depth=2, width=8)
    optimizer = recent_optimizers.build("muon", one, 0.02, adam_lr=0.01)
    history = training.fit(
        one, digits, optimizer, s.cosine(4), epochs=2, batch_size=32, evaluate=None, progress=False
    )
    assert history.lr.shape == (4, 2)
    assert history.lr[:, 1].tolist() == pytest.approx((history.lr[:, 0] / 2).tolist())
    assert history.lr[2, 0] == pytest.approx(0.01)
    with Recorder(optimizer) as log:
        gradients(one)
        optimizer.step()
    assert log.lr.tolist() == [[0.02, 0.01]]


def test_schedule_free_is_measured_elsewhere():
    pytest.importorskip("schedulefree")
    one = net()
    optimizer = recent_optimizers.build("schedule-free", one, 0.1)
    for t in range(10):
        gradients(one, t)
        optimizer.step()
    trained = [w.detach().clone() for w in one.parameters()]
    optimizer.eval()
    assert not any(torch.equal(w, old) for w, old in zip(one.parameters(), trained, strict=True))
    optimizer.train()
    for w, old in zip(one.parameters(), trained, strict=True):
        torch.testing.assert_close(w.detach(), old)


def test_bad_input():
    with pytest.raises(ValueError, match="'lion', 'muon', 'schedule-free'; got 'sgd'"):
        recent_optimizers.build("sgd", net(), 0.1)
    with pytest.raises(ValueError, match="has none"):
        recent_optimizers.build("muon", nn.BatchNorm1d(3), 0.1)
    with pytest.raises(ValueError, match="one or more"):
        recent_optimizers.Together()
    with pytest.raises(ValueError, match="no closure"):
        recent_optimizers.build("muon", net(), 0.1).step(lambda: 0)
