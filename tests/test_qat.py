"""The training library: quantisers, prepare, calibration, checkpoints, the training loop."""

from __future__ import annotations

import copy
import os
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from mcugen import qat  # noqa: E402
from mcugen.errors import ModelError, OutputError  # noqa: E402
from mcugen.frontends.torch import latent_of  # noqa: E402
from mcugen.qat.activations import Sign, best_step  # noqa: E402
from mcugen.qat.weights import quantizer_of  # noqa: E402


@pytest.fixture(autouse=True)
def _seed():
    torch.set_num_threads(1)  # the networks are tiny: threads only wait for each other
    torch.manual_seed(0)


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12 * 4, 4),
    )


def data(n: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    """Four classes: the quarter of an 8x8 image that is bright."""
    y = torch.arange(n) % 4
    x = torch.rand(n, 1, 8, 8) * 0.6
    for i, c in enumerate(y.tolist()):
        x[i, 0, 4 * (c // 2) : 4 * (c // 2) + 4, 4 * (c % 2) : 4 * (c % 2) + 4] += 0.5
    return x, y


def code_of(error: pytest.ExceptionInfo[ModelError]) -> str:
    return error.value.code


# Weights

SPECS = [qat.TWN(), qat.TWN(per="layer"), qat.TWN(threshold=0.0), qat.TWN(threshold=1.5), qat.Int8()]
SHAPES = [(6, 4, 3, 3), (5, 7), (4, 1, 3, 3), (3, 2, 5), (1, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_exported_weight_is_the_one_that_forward_uses(spec, shape):
    w = torch.randn(shape)
    q = spec.quantizer(w)
    codes, scale = q.export(w)
    assert codes.dtype is torch.int8 and codes.shape == w.shape
    assert scale.dtype is torch.float64 and scale.shape == (shape[0],)
    assert scale.isfinite().all() and (scale > 0).all()
    limit = 1 if q.ternary else 127
    assert codes.abs().max() <= limit
    again = codes.double() * scale.reshape(-1, *[1] * (w.dim() - 1))
    torch.testing.assert_close(q(w).double(), again, rtol=1e-7, atol=0)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_rows_of_zeros_give_codes_of_zero_and_a_usable_scale(spec):
    w = torch.randn(4, 3, 3, 3)
    w[1] = 0
    codes, scale = spec.quantizer(w).export(w)
    assert not codes[1].any()
    codes, scale = spec.quantizer(w).export(torch.zeros_like(w))
    assert not codes.any()
    assert scale.isfinite().all() and (scale > 0).all()


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_gradients_pass_straight_through(spec):
    w = torch.randn(4, 6, requires_grad=True)
    upstream = torch.randn(4, 6)
    spec.quantizer(w)(w).backward(upstream)
    assert torch.equal(w.grad, upstream)


def test_twn_by_hand():
    w = torch.tensor([[1.0, -0.1, 0.5, -2.0], [4.0, 4.0, 0.0, 0.0]])
    codes, scale = qat.TWN(threshold=0.7).quantizer(w).export(w)
    assert codes.tolist() == [[1, 0, 0, -1], [1, 1, 0, 0]]  # thresholds 0.63 and 1.4
    assert scale.tolist() == [1.5, 4.0]
    codes, scale = qat.TWN(per="layer", threshold=0.7).quantizer(w).export(w)
    assert codes.tolist() == [[0, 0, 0, -1], [1, 1, 0, 0]]  # 1.015
    assert scale.tolist() == pytest.approx([10 / 3] * 2)


def test_twn_is_the_least_squares_scale_for_its_support():
    w = torch.randn(8, 50)
    codes, scale = (t.double() for t in qat.TWN().quantizer(w).export(w))
    best = (w * codes).sum(1) / codes.square().sum(1)
    torch.testing.assert_close(scale, best, rtol=1e-6, atol=0)


def test_int8_uses_the_whole_range():
    w = torch.randn(5, 20)
    codes, scale = qat.Int8().quantizer(w).export(w)
    assert codes.abs().amax(1).tolist() == [127] * 5
    assert ((w - codes * scale[:, None]).abs() <= scale[:, None] * 0.5001).all()


@pytest.mark.parametrize("make", [lambda: qat.TWN(per="row"), lambda: qat.TWN(threshold=-1), lambda: qat.LSQ(bits=9)])
def test_bad_specs_are_errors(make):
    with pytest.raises(ModelError) as e:
        make()
    assert code_of(e) == "E107"


class TwoBits(qat.WeightQuantizer):
    """A quantiser with two latent tensors and a schedule: what the base class must allow."""

    def __init__(self):
        super().__init__()
        self.register_buffer("progress", torch.zeros(()))

    def quantize(self, *latent):
        a, b = latent
        return (a.sign() + b.sign()) / 2, torch.full((1, *[1] * (a.dim() - 1)), 0.5)

    def forward(self, *latent):
        codes, scale = self.quantize(*(t.detach() for t in latent))
        return codes * scale + sum(t - t.detach() for t in latent)

    def right_inverse(self, weight):
        return weight + 0.01, weight - 0.01

    def step(self, progress):
        self.progress.fill_(progress)


class TwoBitsSpec:
    def quantizer(self, weight):
        return TwoBits()


def test_quantisers_with_several_latent_tensors_fit_the_interface():
    net = qat.prepare(cnn(), weights=TwoBitsSpec())
    q = quantizer_of(net.get_submodule("4"))
    assert isinstance(q, TwoBits)
    codes, scale = q.export(*latent_of(net.get_submodule("4")))
    assert scale.shape == (12,) and codes.unique().tolist() == [-1, 0, 1]
    x, y = data()
    net.train()
    F.cross_entropy(net(x), y).backward()
    assert all(t.grad is not None for t in latent_of(net.get_submodule("4")))
    qat.step(net, 0.25)
    assert float(q.progress) == 0.25


# Activations


def test_rounding_is_half_up_and_the_gradients_are_those_of_lsq():
    q = qat.LSQ(bits=2).quantizer(Sign.SIGNED, "x")  # codes -2..1
    q.eval()
    q.initial.fill_(0.5)
    q.batches.fill_(1)
    x = torch.tensor([-9.0, -0.75, -0.25, 0.25, 0.3, 0.9], requires_grad=True)
    y = q(x)
    assert y.tolist() == [-1.0, -0.5, 0.0, 0.5, 0.5, 0.5]  # ties: -1.5 -> -1, -0.5 -> 0, 0.5 -> 1
    g = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    y.backward(g)
    assert x.grad.tolist() == [0, 2, 3, 4, 5, 0]
    slopes = [-2, -1 + 1.5, 0 + 0.5, 1 - 0.5, 1 - 0.6, 1]
    by_scale = sum(a * b for a, b in zip(slopes, g.tolist(), strict=True)) / (6 * 1) ** 0.5
    assert float(q.gain.grad) == pytest.approx(by_scale / 0.5)
    assert q.codes(x.detach()).tolist() == [0, 1, 2, 3, 3, 3]
    assert q.export() == (2, 0.5, 2)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("sign", [Sign.POSITIVE, Sign.SIGNED])
def test_values_are_on_the_grid_that_export_names(bits, sign):
    q = qat.LSQ(bits).quantizer(sign, "x")
    x = torch.randn(4, 3, 9, 9)
    y = q.train()(x.relu() if sign is Sign.POSITIVE else x)
    k, scale, zero = q.export()
    assert (k, zero) == (bits, 1 << bits - 1 if sign is Sign.SIGNED else 0)
    codes = y.double() / scale + zero
    torch.testing.assert_close(codes, codes.round(), rtol=0, atol=1e-4)
    assert codes.min() >= 0 and codes.max() < (1 << bits)
    assert torch.equal(codes.round().int(), q.codes(x.relu() if sign is Sign.POSITIVE else x))


def test_the_first_step_is_near_the_optimum():
    x = torch.randn(20000)
    for bits, step in ((2, 0.996), (3, 0.586), (4, 0.335)):  # Max 1960, uniform quantisers of a Gaussian
        half = 1 << bits - 1
        found = float(best_step(x, -half, half - 1))
        assert found == pytest.approx(step, rel=0.25)
    assert float(best_step(torch.zeros(5), 0, 255)) > 0


def test_a_value_that_is_only_seen_decides_its_zero_point_in_calibration():
    q = qat.LSQ().quantizer(Sign.SEEN, "x").eval()
    q.observing = True
    q(torch.rand(10))
    assert q.export()[2] == 0
    q(torch.rand(10) - 0.5)
    assert q.export()[2] == 128
    assert int(q.batches) == 1  # started over


@pytest.mark.parametrize("rate", [1e-3, 10.0, 1e6])
def test_the_scale_stays_positive_whatever_the_learning_rate(rate):
    q = qat.LSQ(bits=3).quantizer(Sign.SIGNED, "x")
    optimizer = torch.optim.SGD(q.parameters(), lr=rate)
    x = torch.randn(500)
    for _ in range(20):
        loss = (q(x) - 3 * x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert q.export()[1] > 0


@pytest.mark.parametrize(
    "make", [lambda: qat.LSQ().quantizer(Sign.SIGNED, "conv"), lambda: qat.OutputQuantizer("conv")]
)
def test_evaluating_before_calibration_is_an_error_with_the_place(make):
    q = make().eval()
    for call in (lambda: q(torch.randn(3)), q.export):
        with pytest.raises(ModelError) as e:
            call()
        assert code_of(e) == "E102" and e.value.where == "conv" and "calibrate" in e.value.hint


def test_not_finite_activations_are_an_error():
    q = qat.LSQ().quantizer(Sign.SIGNED, "conv").train()
    with pytest.raises(ModelError) as e:
        q(torch.tensor([1.0, float("nan")]))
    assert code_of(e) == "E105"


def test_outputs_are_sixteen_bits_with_room():
    q = qat.OutputQuantizer("y").train()
    q(torch.tensor([1.0, -4.0]))
    q(torch.tensor([2.0]))
    bits, scale, zero = q.export()
    assert (bits, zero) == (16, 0) and scale == 4 / 16384
    assert q.eval()(torch.tensor([100.0])).item() == scale * 32767
    assert q.codes(torch.tensor([-4.0, 100.0, -100.0])).tolist() == [-16384, 32767, -32768]


# prepare


def names(model: nn.Module) -> list[str]:
    return [n for n, m in model.named_modules() if isinstance(m, qat.ActQuantizer | qat.OutputQuantizer)]


def test_prepare_puts_quantisers_where_the_design_says():
    net = qat.prepare(cnn())
    assert names(net) == ["input_q", "0_q", "4_q", "8_q"]
    order = [str(n.target) for n in net.graph.nodes]
    assert order.index("0_q") == order.index("2") + 1  # behind the ReLU
    assert isinstance(net.get_submodule(names(net)[-1]), qat.OutputQuantizer)
    assert [bool(quantizer_of(net.get_submodule(p)).ternary) for p in ("0", "4", "8")] == [False, True, False]


def test_the_model_given_is_not_touched():
    model = cnn()
    before = copy.deepcopy(model.state_dict())
    net = qat.prepare(model)
    x, y = data()
    qat.fit(net, (x, y), epochs=1, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    assert not parametrize.is_parametrized(model)
    assert model[2].inplace and model.training


def test_prepare_keeps_the_function_up_to_quantisation():
    model = cnn().eval()
    x, _ = data()
    net = qat.prepare(model, weights=qat.Int8())
    assert not net.training
    qat.calibrate(net, [x])
    torch.testing.assert_close(net(x), model(x), rtol=0, atol=0.03)


class Everything(nn.Module):
    """Functional and method forms of all that is supported."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv3 = nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        a = F.relu(self.conv1(x), inplace=True)
        b = torch.relu(self.conv2(a))
        a = F.max_pool2d(a, 2)
        b = F.avg_pool2d(b, 2)
        a += b
        c = torch.add(a, self.conv3(b).relu_())
        d = F.hardtanh(c.add(a), -1.0, 1.0)
        d = F.dropout(d, 0.1, self.training)
        e = d.view(d.size(0), 4, -1).mean(2)
        return self.fc(torch.flatten(e, 1))


def test_functional_and_method_forms():
    net = qat.prepare(Everything())
    assert names(net) == [
        "x_q", "conv1_q", "conv2_q", "avg_pool2d_q", "add_q", "conv3_q", "add_1_q", "add_2_q", "mean_q", "fc_q",
    ]  # fmt: skip
    assert any(isinstance(m, nn.Dropout) for m in net.modules())
    x, _ = data()
    net.train()(x)
    assert torch.equal(net.eval()(x), net.eval()(x))


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.body = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = self.conv(x).relu()
        x = self.body(x).relu()
        x = self.body(x).relu()
        return self.head(x).mean((2, 3))


def test_a_layer_used_twice_has_one_weight_quantiser_and_two_activation_quantisers():
    net = qat.prepare(Shared())
    assert [n for n in names(net) if "body" in n] == ["body_q", "body_1_q"]
    assert len(net.get_submodule("body").parametrizations.weight) == 1


def test_max_pooling_before_the_relu_is_the_same_network():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)
    )
    x, _ = data()
    model(x)
    model.eval()
    net = qat.prepare(model, weights=qat.Int8())
    order = [str(n.target) for n in net.graph.nodes]
    assert order.index("3") < order.index("2")
    assert net.get_submodule(names(net)[1]).sign is Sign.POSITIVE
    qat.calibrate(net, [x])
    torch.testing.assert_close(net(x), model(x), rtol=0, atol=0.03)


def mobile() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 4),
    )


def ternary_layers(net: nn.Module) -> list[str]:
    return [n for n, m in net.named_modules() if (q := quantizer_of(m)) is not None and q.ternary]


def test_which_layers_stay_int8():
    assert qat.default_keep(mobile()) == ["0", "2", "7"]
    assert ternary_layers(qat.prepare(mobile())) == ["4"]
    assert ternary_layers(qat.prepare(mobile(), keep=[])) == ["0", "2", "4", "7"]
    assert ternary_layers(qat.prepare(mobile(), keep=[*qat.default_keep(mobile()), "4"])) == []
    by_path = qat.prepare(mobile(), keep={"0": qat.Int8(), "7": qat.TWN(per="layer")})
    assert ternary_layers(by_path) == ["2", "4", "7"]
    assert quantizer_of(by_path.get_submodule("7")).per == "layer"


@pytest.mark.parametrize(
    "keep, words",
    [
        (["conv4"], ["conv4", "not a layer", "conv3"]),
        (["fc", "fcc"], ["fcc", "'fc'"]),
        (["drop"], ["not a convolution"]),
        ("fc", ["string", "['fc']"]),
        ({"fc": 8}, ["fc", "spec"]),
    ],
)
def test_unknown_paths_are_errors_with_a_suggestion(keep, words):
    model = Everything()
    model.drop = nn.Dropout()
    with pytest.raises(ModelError) as e:
        qat.prepare(model, keep=keep)
    assert code_of(e) == "E107"
    if keep != ["drop"]:
        assert all(w in str(e.value) for w in words)


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) if x.sum() > 0 else x


def test_models_that_cannot_be_traced_name_the_module():
    with pytest.raises(ModelError) as e:
        qat.prepare(nn.Sequential(nn.Linear(4, 4), Branch()))
    assert code_of(e) == "E106" and e.value.where == "1"
    with pytest.raises(ModelError) as e:
        qat.prepare(Branch())
    assert code_of(e) == "E106" and e.value.where == "Branch"


def test_arguments_that_cannot_be_used():
    for call in (
        lambda: qat.prepare("model"),
        lambda: qat.prepare(cnn(), weights="ternary"),
        lambda: qat.prepare(cnn(), activations=8),
        lambda: qat.prepare(qat.prepare(cnn())),
    ):
        with pytest.raises(ModelError) as e:
            call()
        assert code_of(e) == "E107"
    with pytest.raises(ModelError) as e:
        qat.prepare(cnn(), sample=torch.randn(2, 3, 8, 8))
    assert code_of(e) == "E103"


# Calibration


def test_calibrate_sets_every_scale_and_nothing_else():
    net = qat.prepare(cnn())
    x, _ = data()
    before = copy.deepcopy(net.state_dict())
    qat.calibrate(net, [(x[:50], None), (x[50:], None)])
    assert net.training and all(m.calibrated for m in net.modules() if isinstance(m, qat.ActQuantizer))
    changed = {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}
    assert {k.rsplit(".", 1)[-1] for k in changed} <= {"initial", "batches", "largest", "zero_point"}
    first = net.get_submodule("input_q").export()
    qat.calibrate(net, [x * 2])
    assert net.get_submodule(names(net)[0]).export()[1] > 1.5 * first[1]


def test_a_fixed_input_stays_whatever_comes():
    net = qat.prepare(cnn())
    qat.fix_input(net, 0.02, 7)
    x, y = data()
    q = net.get_submodule("input_q")
    given = q.bits, pytest.approx(0.02), 7
    assert q.export() == given
    qat.calibrate(net, [x * 3 - 1], criterion="mean")
    assert q.export() == given
    qat.fit(net, (x, y), epochs=1, progress=False)
    assert q.export() == given and net.get_submodule("0_q").gain != 0
    codes = q.codes(torch.tensor([0.0, 0.021, -1.0, 99.0]))
    assert codes.tolist() == [7, 8, 0, 255]


def test_which_input_is_fixed():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.fc(a + b)

    net = qat.prepare(Two())
    qat.fix_input(net, 0.5, name="b")
    assert net.b_q.calibrated and not net.a_q.calibrated
    cases = [
        (Two(), 0.5), (net, 0.5), (net, 0.5, 0, "c"), (net, 0.0, 0, "a"), (net, float("nan"), 0, "a"),
        (net, float("inf"), 0, "a"), (net, 0.5, 256, "a"), (net, 0.5, -1, "a"), (net, 0.5, 1.0, "a"),
    ]  # fmt: skip
    for case in cases:
        with pytest.raises(ModelError) as e:
            qat.fix_input(*case)
        assert code_of(e) == "E107" and e.value.hint
    assert not net.a_q.calibrated


def test_recalibrate_bn_takes_the_average_over_the_batches():
    net = qat.prepare(cnn(), weights=qat.TWN(), keep=[])
    x, _ = data()
    qat.recalibrate_bn(net, [x[:48], x[48:]])
    bn, conv = net.get_submodule("1"), net.get_submodule("0")
    outputs = conv(x)
    torch.testing.assert_close(bn.running_mean, outputs.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert bn.momentum == 0.1 and net.training and not net.get_submodule(names(net)[0]).bypass


def test_no_batches_is_an_error():
    net = qat.prepare(cnn())
    for call in (
        lambda: qat.calibrate(net, []),
        lambda: qat.calibrate(cnn(), [data()[0]]),
        lambda: qat.calibrate(net, [3]),
    ):
        with pytest.raises(ModelError) as e:
            call()
        assert code_of(e) == "E107"


# Checkpoints


def test_a_checkpoint_resumes_training_exactly(tmp_path):
    x, y = data()

    def steps(net, optimizer, n):
        for _ in range(n):
            loss = F.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    torch.manual_seed(1)
    a = qat.prepare(cnn())
    adam = torch.optim.Adam(a.parameters(), lr=1e-3)
    steps(a, adam, 3)
    qat.save_checkpoint(tmp_path / "c.pt", a, adam, epoch=3, best=0.5, note="x", history=[1.0, 2.0])
    b = qat.prepare(cnn())
    adam_b = torch.optim.Adam(b.parameters(), lr=1e-3)
    assert qat.load_checkpoint(tmp_path / "c.pt", b, adam_b) == {
        "epoch": 3,
        "best": 0.5,
        "note": "x",
        "history": [1.0, 2.0],
    }
    assert steps(a, adam, 3) == steps(b, adam_b, 3)
    assert torch.equal(a.eval()(x), b.eval()(x))
    assert [f.name for f in tmp_path.iterdir()] == ["c.pt"]


def test_damaged_and_foreign_checkpoints_are_errors_and_change_nothing(tmp_path):
    net = qat.prepare(cnn())
    good = tmp_path / "good.pt"
    qat.save_checkpoint(good, net)
    raw = good.read_bytes()
    files: dict[str, bytes] = {
        "cut": raw[: len(raw) // 2],
        "empty": b"",
        "text": b"hello",
        "flip": b"\0" * 64 + raw[64:],
    }
    paths = [tmp_path / n for n in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    torch.save({"a": 1}, tmp_path / "foreign")
    torch.save({"format": "mcugen checkpoint", "version": 1}, tmp_path / "hollow")
    torch.save({"format": "mcugen checkpoint", "version": 9}, tmp_path / "newer")
    torch.save(os.system, tmp_path / "code")
    other = qat.prepare(mobile())
    qat.save_checkpoint(tmp_path / "other", other)
    wide = cnn()
    wide[0] = nn.Conv2d(1, 8, 5, padding=2, bias=False)
    qat.save_checkpoint(tmp_path / "shape", qat.prepare(wide))
    before = copy.deepcopy(net.state_dict())
    for path in [*paths, *(tmp_path / n for n in ("foreign", "hollow", "newer", "code", "other", "shape"))]:
        with pytest.raises(ModelError) as e:
            qat.load_checkpoint(path, net)
        assert code_of(e) == "E108" and str(path) in str(e.value)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    with pytest.raises(OutputError):
        qat.load_checkpoint(tmp_path / "none", net)
    with pytest.raises(ModelError):
        qat.load_checkpoint(good, net, torch.optim.SGD(net.parameters(), lr=0.1))


def test_saving_what_cannot_be_loaded_leaves_the_old_file(tmp_path):
    net = qat.prepare(cnn())
    path = tmp_path / "c.pt"
    qat.save_checkpoint(path, net, epoch=1)
    with pytest.raises(ModelError):
        qat.save_checkpoint(path, net, epoch=2, where=Path)
    assert qat.load_checkpoint(path, net) == {"epoch": 1}
    with pytest.raises(OutputError):
        qat.save_checkpoint(tmp_path / "no" / "c.pt", net)


# Training


def test_fit_learns_and_repeats(capsys):
    x, y = data()
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        net = qat.prepare(cnn())
        history = qat.fit(net, (x, y), (x, y), epochs=8, lr=1e-2, batch_size=32, label_smoothing=0.05, progress=False)
        found.append(history)
    assert found[0] == found[1]
    assert found[0][-1].test_accuracy > 0.9 and found[0][-1].loss < found[0][0].loss
    assert found[0][-1].test_accuracy == qat.evaluate(net, x, y)
    assert 0 < found[0][-1].density == qat.density(net) < 1
    assert capsys.readouterr() == ("", "")


def test_fit_takes_batches_and_shows_progress(capsys):
    x, y = data()
    qat.fit(qat.prepare(cnn()), list(zip(x.split(32), y.split(32), strict=True)), epochs=2, progress=True)
    assert "epoch 2/2: loss" in "".join(capsys.readouterr())


def test_fit_without_log_shows_only_the_bar(capsys, monkeypatch):
    x, y = data()
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        qat.fit(qat.prepare(cnn()), (x, y), epochs=3, batch_size=8, log=False)
        out, err = capsys.readouterr()
        last = err.rsplit("\r", 1)[-1]
        assert out == "" and all(word in last for word in ("100%", "ETA", "epoch 3/3: loss", "acc ", "density 0."))
        assert terminal or err.count("\r") <= 4  # the first and the last state
    qat.fit(cnn(), (x, y), epochs=2, log=False)
    assert not any(word in capsys.readouterr().err for word in ("nan", "density"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    qat.fit(qat.prepare(cnn()), (x, y), epochs=2)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and err == ""  # a file gets a line per epoch, and no bar


def test_fit_says_what_is_wrong():
    x, y = data()
    net = qat.prepare(cnn())
    for train, epochs in ((iter([]), 1), ([], 1), ((x, y), 0)):
        with pytest.raises(ModelError) as e:
            qat.fit(net, train, epochs=epochs, progress=False)
        assert code_of(e) == "E107"
    with pytest.raises(ModelError):
        qat.evaluate(net, x, y[:3])
    with pytest.raises(ModelError) as e:
        qat.fit(net, (x * float("inf"), y), epochs=1, progress=False)
    assert code_of(e) == "E105"


def test_density_counts_ternary_layers_only():
    net = qat.prepare(cnn(), weights=qat.TWN(threshold=0.0), keep=["0", "8"])
    assert qat.density(net) == 1.0
    with torch.no_grad():
        net.get_submodule("4").parametrizations.weight.original[:6] = 0
    assert qat.density(net) == 0.5
    assert qat.density(cnn()) != qat.density(cnn())  # nan
