"""What a range test refuses, in one table: the error, what is wrong, and the remedy.

    raise refusal("step and loss_fn")
    raise refusal("iterator, repeats", repeats=repeats)

Places in braces are filled by what the caller tells.
"""

from __future__ import annotations

from typing import Any


class UnfitBatch(TypeError):
    """A batch that cannot be used without a `step`; the message has the lines to write."""


class WrongLoss(ValueError):
    """Outputs and targets that cross-entropy, the default, is not for."""


def refusal(of: str, **told: Any) -> Exception:
    """The error to raise, named `of`; what is `told` fills its places."""
    for error, messages in REFUSALS.items():
        if of in messages:
            return error(messages[of].format(**told))
    raise KeyError(of)


_OTHER_LOSS = (
    "give the loss that is meant as loss_fn, such as functional.mse_loss or, for answers 0 and 1, "
    "functional.binary_cross_entropy_with_logits"
)

_DTYPES = "{owner}: {name} must be torch.bfloat16, torch.float16, True or None; got {shown}"

REFUSALS: dict[type[Exception], dict[str, str]] = {
    ValueError: {
        # arguments, before anything is touched
        "another dtype": _DTYPES,
        "rates that fall": "range_test: end must be above start, for the rate rises; got start "
        "{start:.3g} and end {end:.3g}",
        "step and loss_fn": "give loss_fn or step, not both: a step computes the loss itself",
        "iterator, repeats": "batches is an iterator, which can be gone through once, and "
        "{repeats} repeats are asked for: give a DataLoader or a list, or repeats=1",
        "net alone a factory": "net is a factory, so each repeat has parameters of its own: give "
        "the optimizer as a factory too, for instance lambda net: "
        "torch.optim.SGD(net.parameters(), lr=0.1)",
        "no held-out curve": "this test has no held-out curve: range_test(..., held_out=...)",
        # the net and the optimizer of a repeat
        "lazy net": "the net has lazy parameters without a shape: run one batch through it first, "
        "then build the optimizer",
        "net without numbers": "the net lies on the meta device, without numbers: give them "
        "first, by net.to_empty(device=...) and its own start or a checkpoint, then build the "
        "optimizer",
        "net that cannot train": "the net has no parameter that trains{why}",
        "optimizer of another net": "this optimizer holds no parameter of this net that trains: "
        "build it on this net",
        "rate that is none": "the rate of parameter group {group} is {rate}, and it must be above "
        "0: the sweep keeps the ratio of the groups (the size alone plays no part). Where a "
        "scheduler has put it there, give the rate that the scheduler begins from as "
        "group['initial_lr'], or build the optimizer anew without it",
        # batches
        "no batch": "{name} is empty; give at least one batch",
        "no held-out batch": "held_out is empty; give at least one batch, or None",
        "held_out without end": "held_out has given {batches:,} batches and goes on; they are "
        "kept in memory and measured after each update, and a few will do: "
        "held_out=list(itertools.islice(held_out, 10))",
        "batch_size of batches": "batch_size is for a tuple of tensors (X, y); {name} is {given}, "
        "which has batches already",
        "tensors without batch_size": "tensors are cut into batches of batch_size, a whole number "
        "from 1 on: give batch_size=32, say; batches that are cut already come in a list [(X, y), "
        "...]",
        "tensors of two lengths": "the tensors of {name} need one length above 0, not {lengths}",
        "too few batches": "the batches are not enough for one update, which takes "
        "accumulate={accumulate} of them; give more",
        # what a step does and gives
        "complex loss": "the loss is a real number, not a complex one: take its abs() or .real",
        "many losses": "the loss is one number, not a tensor of shape {shape}: take its mean, for "
        "instance by reduction='mean'",
        "loss without gradient": "the loss has no gradient: it does not depend on a parameter "
        "that trains; was it detached, computed under no_grad, or was backward() called on it? "
        "The range test calls backward() itself: return the loss as it is",
        "backward in step": "step has called backward(): the range test does that itself, once "
        "for the loss that step returns; leave it out",
        "update in step": "step has called step() of the {optimizer}: the range test makes the "
        "updates itself, one at each rate, and calls backward() before it. Leave zero_grad(), "
        "backward() and step() out of step, and return the loss; where the training makes several "
        "updates on one batch, test it with one",
        "None in a row": "step returned None for {count} batches in a row, which passes a batch "
        "over: return the loss",
        "None for all held out": "step returned None for all held-out batches, or they hold no "
        "sample",
        # what an optimizer does
        "closure with float16": "{optimizer} steps with a closure, which does not go with the "
        "scaled gradients of float16: autocast=torch.bfloat16",
        "no gradient": "no parameter of this optimizer has a gradient: the loss does not depend "
        "on them; build the optimizer on the part of the net that is used",
        "no update": "optimizer.step() left out every update, so no rate was tried: behind an "
        "accelerator that accumulates, set its gradient_accumulation_steps to 1 and give "
        "accumulate= here; a gradient scaler that finds no finite gradient asks for a lower "
        "init_scale",
        "several rates in a step": "the optimizer made {made} updates at different rates in its "
        "step {step}, so that no one rate belongs to the loss there: test the optimizer inside "
        "it, or let its step leave group['lr'] alone",
        "another writer": "the rate does not rise as the sweep sets it: update {update} used "
        "{used:.4g}, and {meant:.4g} was set. Something else writes group['lr'] on the way, such "
        "as a scheduler that step or the optimizer calls: leave it out of the test",
    },
    TypeError: {
        # arguments, before anything is touched
        "no dtype": _DTYPES,
        "class as function": "range_test: {name} must be a function, and {given} is a class: give "
        "an object of it, {name}={given}()",
        # the net and the optimizer of a repeat
        "class as object": "{name} is a class, {given}; give {article} of it, or a factory such "
        "as lambda {example}",
        "another object": "{what} no {wanted} but {kind}",
        "optimizer without rates": "{optimizer} has no rate to sweep: its parameter groups hold "
        "{held}, but no 'lr'. Only an optimizer that uses group['lr'] can be tested",
        # batches
        "one tensor": "{name} is one tensor; give a tuple (X, y) and batch_size, or where there "
        "are no targets (X,), batch_size and step=lambda net, batch: loss_fn(net(batch[0]), "
        "batch[0])",
        "data set": "{name} is a data set; wrap it: DataLoader({name}, batch_size=...)",
        "no batches": "{name} gives batches: a DataLoader, a list, an iterator or a tuple (X, y) "
        "of tensors with batch_size=..., not {given}{call}",
        "arrays": "{name} is a tuple of arrays; give tensors: torch.as_tensor(X), ...",
        # what a step does and gives
        "several things": "step returns a loss or (loss, outputs, targets), not {count} things",
        "loss that is no tensor": "the loss is a tensor with one number, not {given}: from "
        "step=step return the tensor itself, and from loss_fn too",
    },
    UnfitBatch: {
        "default that fails": "{way}, which is the default, failed on the first batch, {batch}: "
        "{error}: {said}. {advice}",
        "loss_fn of a mapping": "loss_fn cannot be used on {batch}: net(**batch) is asked for its "
        "own loss. Leave loss_fn out. {advice}",
        "mapping without a loss": "net(**batch) gave {given} without a loss; put the labels into "
        "the batch. {advice}",
        "batch of another kind": "a batch, in batches and held_out, is (X, y) or a mapping for "
        "net(**batch), not {batch}. {advice}",
    },
    WrongLoss: {
        "one output": (
            "the outputs have shape {shape}, and cross-entropy, the default, needs (N, "
            "classes) with two classes or more; of one output it is always 0: " + _OTHER_LOSS
        ),
        "no classes": (
            "the targets are neither classes nor probabilities, which cross-entropy, "
            "the default, is for: " + _OTHER_LOSS
        ),
    },
}
