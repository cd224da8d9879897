"""The recorder reads the LR inside each update and leaves the optimizer as it was."""

import numpy as np
import pytest
import torch

from lrcourse.recorder import Recorder


def toy(lr=0.1):
    parameter = torch.nn.Parameter(torch.ones(3))
    parameter.grad = torch.ones(3)
    return torch.optim.SGD([parameter], lr=lr)


def test_records_what_each_step_used():
    optimizer = toy()
    with Recorder(optimizer) as log:
        for lr in (0.5, 0.25, 0.125):
            optimizer.param_groups[0]["lr"] = lr
            optimizer.step()
            optimizer.param_groups[0]["lr"] = 99.0  # written after the update: not applied
    np.testing.assert_array_equal(log.lr, [[0.5], [0.25], [0.125]])
    assert len(log) == 3


def test_the_hook_is_gone_afterwards_also_after_an_error():
    optimizer = toy()
    with pytest.raises(RuntimeError), Recorder(optimizer) as log:
        optimizer.step()
        raise RuntimeError
    optimizer.step()
    assert len(log) == 1


def test_tensor_rates_and_new_groups():
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=torch.tensor(0.5))
    with Recorder(optimizer) as log:
        optimizer.step()
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], "lr": 0.25})
        optimizer.step()
    np.testing.assert_array_equal(log.lr, [[0.5, np.nan], [0.5, 0.25]])


def test_before_the_first_update():
    assert Recorder(toy()).lr.shape == (0, 1)


def test_not_an_optimizer():
    with pytest.raises(TypeError, match="Recorder: optimizer must be a torch optimizer"):
        Recorder([0.1])
