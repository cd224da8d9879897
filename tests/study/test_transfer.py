"""Choosing classes, and a new head on an old net."""

import pytest
import torch

from lrcourse import models
from lrcourse.data import Data, Split
from lrcourse.study.transfer import only_classes, with_new_head


@pytest.fixture
def numbers():
    y = torch.arange(40) % 10
    split = Split(y.float().reshape(-1, 1, 1, 1).expand(-1, 1, 12, 12).contiguous(), y)
    return Data("numbers", split, split, split, tuple("abcdefghij"))


def test_images_keep_their_labels(numbers):
    some = only_classes(numbers, [7, 2], images=5)
    assert some.classes == ("h", "c") and len(some.train) == 5
    assert len(some.valid) == len(some.test) == 8
    for split in (some.train, some.valid, some.test):
        shown = split.X[:, 0, 0, 0].long()
        assert torch.equal(shown, torch.tensor([7, 2])[split.y])
    assert some.fingerprint != numbers.fingerprint


@pytest.mark.parametrize("labels", [[], [1, 1], [10], [-1]])
def test_labels_that_cannot_be(numbers, labels):
    with pytest.raises(ValueError, match=r"labels(\[0\])? must (be|have)"):
        only_classes(numbers, labels)


def test_more_images_than_there_are(numbers):
    with pytest.raises(ValueError, match="from 1 to 8"):
        only_classes(numbers, [7, 2], images=9)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_new_head_on_old_layers(frozen):
    net = models.mlp(3, 6, inputs=16, seed=0)
    before = [w.detach().clone() for w in net.parameters()]
    tuned = with_new_head(net, frozen=frozen, seed=5)
    *body, weight, bias = tuned.parameters()
    assert all(torch.equal(w, old) for w, old in zip(body, before, strict=False))
    assert not torch.equal(weight, before[-2]) and not torch.equal(bias, before[-1])
    assert [w.requires_grad for w in body] == [not frozen] * 4 and weight.requires_grad
    with torch.no_grad():
        for w in tuned.parameters():
            w += 1
    assert all(torch.equal(w, old) for w, old in zip(net.parameters(), before, strict=True))
    assert all(w.requires_grad for w in net.parameters())
    again = with_new_head(net, seed=5)[-1]
    assert torch.equal(again.weight + 1, weight)


def test_a_net_without_a_head():
    with pytest.raises(TypeError, match="last layer"):
        with_new_head(models.mlp(2, 3)[:-1])
