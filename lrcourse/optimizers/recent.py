"""Lion, Muon and schedule-free AdamW from the libraries that offer them, built for a net.

    optimizer = build("muon", net, lr=0.02)
    training.fit(net, data, optimizer, epochs=10)

- "lion": lion-pytorch, Chen et al. 2023 (arXiv 2302.06675): the sign of a momentum.
- "muon": torch.optim.Muon for weights of two dimensions, AdamW for all others: Jordan et al. 2024.
  It makes the momentum of a weight matrix nearly orthogonal.
- "schedule-free": schedulefree, Defazio et al. 2024 (arXiv 2405.15682): AdamW with an average of
  the weights in the place of a schedule. Call `optimizer.train()` before training and
  `optimizer.eval()` before measuring: the weights differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lrcourse.support.checks import MAPPING, NOT_NEGATIVE, arguments, one_of, shown
from lrcourse.support.kinds import NET
from lrcourse.support.names import advised


class Together(torch.optim.Optimizer):
    """Several optimizers that step as one, each over its own parameters.

    The groups are those of the members, so whoever writes a rate into one writes it for both.
    """

    def __init__(self, *members: torch.optim.Optimizer) -> None:
        if not members:
            raise ValueError("no optimizers to put together: give one or more")
        groups = [group for member in members for group in member.param_groups]
        super().__init__(groups, {})
        self.members = members

    # Without a closure there is no loss to give.
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, closure: Callable[[], Any] | None = None
    ) -> None:
        if closure is not None:
            raise ValueError(
                "optimizers put together take no closure, which each would call; "
                f"got {shown(closure)}"
            )
        for member in self.members:
            member.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of each member, in their order."""
        return {"members": [member.state_dict() for member in self.members]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from such a state. ValueError where it is that of other members."""
        states = MAPPING("Together", "state_dict", state_dict).get("members", ())
        if len(states) != len(self.members):
            raise ValueError(
                f"state_dict has no state of these optimizers: a state of {len(states)} members "
                f"for {len(self.members)} optimizers"
            )
        for member, state in zip(self.members, states, strict=True):
            member.load_state_dict(state)
        # loading puts new groups into a member
        self.param_groups[:] = [group for member in self.members for group in member.param_groups]


def _lion(net: nn.Module, lr: float, options: dict[str, Any]) -> torch.optim.Optimizer:
    with advised("Lion needs its library: pip install lion-pytorch"):
        from lion_pytorch import Lion
    return Lion(net.parameters(), lr=lr, **options)


def _muon(net: nn.Module, lr: float, options: dict[str, Any]) -> torch.optim.Optimizer:
    if not hasattr(torch.optim, "Muon"):
        raise ImportError(f"torch {torch.__version__} has no Muon: pip install 'torch>=2.9'")
    adam_lr = options.pop("adam_lr", 0.003)
    flat = [w for w in net.parameters() if w.ndim == 2]
    others = [w for w in net.parameters() if w.ndim != 2]
    if not flat:
        raise ValueError("Muon is for weights of two dimensions, and this net has none")
    muon = torch.optim.Muon(flat, lr=lr, **options)
    return Together(muon, torch.optim.AdamW(others, lr=adam_lr)) if others else Together(muon)


def _schedule_free(net: nn.Module, lr: float, options: dict[str, Any]) -> torch.optim.Optimizer:
    with advised("this needs its library: pip install schedulefree"):
        from schedulefree import AdamWScheduleFree
    optimizer = AdamWScheduleFree(net.parameters(), lr=lr, **options)
    optimizer.train()
    return optimizer


_BUILDERS = {"lion": _lion, "muon": _muon, "schedule-free": _schedule_free}


@arguments(name=one_of(*_BUILDERS), net=NET, lr=NOT_NEGATIVE)
def build(name: str, net: nn.Module, lr: float, **options: Any) -> torch.optim.Optimizer:
    """An optimizer of this module over the parameters of a net; options go to the library's own.

    Of "muon" they go to torch.optim.Muon; its AdamW keeps torch's defaults and has the rate
    `adam_lr` (default 0.003). All begin in training mode.

    Raises:
        ValueError: for an unknown name, or "muon" over a net without weights of two dimensions.
        ImportError: where the library is missing, with the way to get it.
    """
    return _BUILDERS[name](net, lr, options)
