"""The callbacks in the real frameworks, on the CPU: what is logged is what was applied."""

import csv
import warnings

import numpy as np
import pytest
import torch
from helpers.peers import peer

from lrcourse import frameworks
from lrcourse import schedules as s
from lrcourse.training import ScheduleWarning

N = 24
INPUTS = torch.randn(8 * N, 4, generator=torch.Generator().manual_seed(0))
TARGETS = (INPUTS.sum(1) > 0).long()


def shape(updates):
    return s.warmup(4).then(s.cosine(updates - 4))


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return len(INPUTS)

    def __getitem__(self, k):
        return {"x": INPUTS[k], "labels": TARGETS[k]}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, x, labels=None):
        outputs = self.layer(x)
        return {"loss": torch.nn.functional.cross_entropy(outputs, labels), "logits": outputs}


def hf_trainer(folder, length, reporters=(), **options):
    transformers = peer("transformers")
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    arguments = transformers.TrainingArguments(
        str(folder), num_train_epochs=1, per_device_train_batch_size=8, logging_steps=5,
        report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, **options,
    )  # fmt: skip
    optimizers = (optimizer, s.to_torch(shape(length), optimizer))
    return transformers.Trainer(
        net, arguments, train_dataset=Rows(), optimizers=optimizers, callbacks=list(reporters)
    )


def test_transformers(tmp_path):
    transformers = peer("transformers")
    seen = []

    class Reporter(transformers.TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            seen.append(dict(logs))

    trainer = hf_trainer(tmp_path, N, [Reporter()])
    callback = frameworks.for_transformers(trainer)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScheduleWarning)
        trainer.train()
    log = callback.log
    assert len(log) == N and not log.findings
    assert str(log.against(shape(N))) == "nothing found"
    kept = [one for one in trainer.state.log_history if "learning_rate" in one]
    assert [one["lr_applied"] for one in kept] == log.lr[4::5, 0].tolist()
    assert [one["lr_applied"] for one in seen if "learning_rate" in one] == log.lr[4::5, 0].tolist()
    trainer.optimizer.step()
    assert len(log) == N  # nothing is recorded after the training


def test_transformers_accumulates_and_warns(tmp_path):
    trainer = hf_trainer(tmp_path, N, gradient_accumulation_steps=2)
    callback = frameworks.for_transformers(trainer)
    with pytest.warns(ScheduleWarning, match="ends-late"):
        trainer.train()
    assert len(callback.log) == N // 2


def lightning_module(length, interval="step"):
    L = peer("lightning.pytorch")

    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def training_step(self, batch, _):
            return self.net(**batch)["loss"]

        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
            scheduler = s.to_torch(shape(length), optimizer)
            return [optimizer], [{"scheduler": scheduler, "interval": interval}]

    return Module()


def lightning_trainer(folder, callback, **options):
    L = peer("lightning.pytorch")
    loggers = peer("lightning.pytorch.loggers")
    return L.Trainer(
        accelerator="cpu", max_epochs=1, callbacks=[callback], logger=loggers.CSVLogger(folder),
        log_every_n_steps=4, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, **options,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*(num_workers|GPU|tensorboard|litlogger)")
def test_lightning(tmp_path):
    peer("lightning.pytorch")
    callback = frameworks.for_lightning()
    trainer = lightning_trainer(tmp_path, callback)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScheduleWarning)
        trainer.fit(lightning_module(N), torch.utils.data.DataLoader(Rows(), batch_size=8))
    (log,) = callback.logs
    assert len(log) == N and not log.findings
    assert str(log.against(shape(N))) == "nothing found"
    (table,) = tmp_path.rglob("metrics.csv")
    with table.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["lr_applied"]]
    assert [int(row["step"]) for row in rows] == list(range(4, N + 1, 4))
    assert np.allclose([float(row["lr_applied"]) for row in rows], log.lr[3::4, 0], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*(num_workers|GPU|tensorboard|litlogger)")
@pytest.mark.parametrize(
    ("interval", "length", "epochs", "codes"),
    [("step", 3 * N, 1, ("ends-late",)), ("epoch", 12, 12, ()), ("epoch", 40, 10, ("ends-late",))],
)
def test_lightning_knows_the_unit(tmp_path, interval, length, epochs, codes):
    peer("lightning.pytorch")
    callback = frameworks.for_lightning()
    trainer = lightning_trainer(tmp_path, callback)
    trainer.fit_loop.max_epochs = epochs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScheduleWarning)
        data = torch.utils.data.DataLoader(Rows(), batch_size=8 if interval == "step" else 48)
        trainer.fit(lightning_module(length, interval), data)
    assert callback.logs[0].findings.codes == codes


def test_accelerate():
    accelerate = peer("accelerate")
    tracking = peer("accelerate.tracking")
    told = []

    class Tracker(tracking.GeneralTracker):
        name, requires_logging_directory, tracker = "list", False, None

        def store_init_configuration(self, values):
            pass

        def log(self, values, step=None, **_):
            told.append((step, values["lr_applied"]))

    accelerator = accelerate.Accelerator(cpu=True, log_with=Tracker())
    accelerator.init_trackers("rates")
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scheduler = s.to_torch(shape(N), optimizer)
    data = torch.utils.data.DataLoader(Rows(), batch_size=8)
    net, optimizer, data, scheduler = accelerator.prepare(net, optimizer, data, scheduler)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScheduleWarning)
        log = frameworks.for_accelerate(accelerator, optimizer, scheduler, updates=N, every=6)
    with log:
        for batch in data:
            optimizer.zero_grad()
            accelerator.backward(net(**batch)["loss"])
            optimizer.step()
            scheduler.step()
    assert str(log.against(shape(N))) == "nothing found"
    assert told == [(t, log.lr[t - 1, 0]) for t in range(6, N + 1, 6)]
