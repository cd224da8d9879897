"""Resuming: what three_ways compares are really a loaded state, a lost one, and none of both."""

import torch
from torch import nn

from lrcourse.study.resuming import three_ways


def problem(kind, seen, **options):
    count = iter(range(100))

    def build():
        torch.manual_seed(next(count))  # other weights each time: those of the file must be loaded
        net = nn.Linear(3, 1)
        return net, kind(net.parameters(), **options)

    def train(net, optimizer, part):
        seen.append((part, len(optimizer.state)))
        draw = torch.Generator().manual_seed(0 if part == "before" else 1)
        losses = []
        for _ in range(5):
            loss = (net(torch.randn(8, 3, generator=draw)) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses)

    return build, train


def test_with_its_state_bit_for_bit_and_without_it_not():
    seen = []
    with torch.random.fork_rng():
        found = three_ways(*problem(torch.optim.Adam, seen, lr=0.05))
    assert torch.equal(found["with its state"], found["uninterrupted"])
    assert not torch.equal(found["without"], found["uninterrupted"])
    assert torch.equal(found["without"][:1], found["uninterrupted"][:1])  # the same weights still
    # in the state: a weight and a bias, or nothing
    assert seen == [("before", 0), ("after", 2), ("after", 2), ("after", 0)]


def test_sgd_has_nothing_to_lose():
    with torch.random.fork_rng():
        found = three_ways(*problem(torch.optim.SGD, [], lr=0.05))
    assert torch.equal(found["without"], found["uninterrupted"])
    assert not torch.equal(found["before"], found["uninterrupted"])
