"""The torch front end: every supported module lowers and agrees with the fake-quantised model, all else is an error."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import mcugen  # noqa: E402
from mcugen import archive, driver, interp, ir, ops, qat, validate  # noqa: E402
from mcugen.errors import ModelError  # noqa: E402
from mcugen.frontends.torch import Sample, fake_codes, lower, to_archive  # noqa: E402

BATCH = 24


@pytest.fixture(autouse=True)
def _seed():
    torch.set_num_threads(1)  # the networks are tiny: threads only wait for each other
    torch.manual_seed(0)


def shake(model: nn.Module) -> nn.Module:
    """Batch norms with statistics and affine parameters that are not the defaults, some gains negative."""
    for m in model.modules():
        if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) and m.affine:
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.uniform_(m.bias, -0.5, 0.5)
            with torch.no_grad():
                m.weight[::5] *= -1
    return model


def prepared(model: nn.Module, x: torch.Tensor, **options: object) -> torch.fx.GraphModule:
    """Prepared, with statistics and scales from x."""
    net = qat.prepare(shake(model), **options)
    qat.recalibrate_bn(net, [x])
    qat.calibrate(net, [x])
    for m in net.modules():  # as training leaves them; scales that are ratios of small integers make ties
        if isinstance(m, qat.ActQuantizer):
            nn.init.uniform_(m.gain, -0.03, 0.03)
    return net.eval()


def differences(net: torch.fx.GraphModule, graph: ir.Graph, x: Sample) -> tuple[int, int]:
    """Each layer on the integer inputs: how many of all unsigned activations differ, and of how many.

    Holds every element to the rounding of the multiplier, whose 15 significant bits are 2^-16 of a result: where a
    value differs, what torch computes is that near to the middle between two integers.
    """
    env = interp.trace(graph, *to_archive(net, x).samples)
    by_name = {v.name: a for v, a in env.items()}
    types = {v.name: v.type for v in env}
    wrong = total = 0
    for name, real in fake_codes(net, x, by_name, rounded=False).items():
        got, dtype = by_name[name].astype(np.int64), types[name].dtype
        real = np.clip(real.reshape(got.shape), dtype.lo, dtype.hi)
        assert np.abs(got - real).max() <= (1.05 if dtype is ir.DType.I16 else 0.52), name
        if dtype is not ir.DType.I16:
            wrong += int((got != np.floor(real + 0.5)).sum())
            total += got.size
    return wrong, total


def agree(net: torch.fx.GraphModule, x: Sample) -> ir.Graph:
    """Lower, and hold the graph to the model: 1 LSB in 0.1 % of the elements, two standard deviations for the sample.

    The 16-bit outputs are held to 1 LSB: the multiplier's rounding alone is half of it.
    """
    graph = lower(net, x)
    wrong, total = differences(net, graph, x)
    assert wrong <= 0.001 * total + 2 * (0.001 * total) ** 0.5, (wrong, total)
    return graph


def ops_of(graph: ir.Graph) -> list[str]:
    return [type(n.op).__name__ for n in graph.nodes]


# Random networks of every form in scope


class Block(nn.Module):
    def __init__(self, c: int, o: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(c, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.relu = nn.ReLU(inplace=True)
        down = nn.Sequential(nn.Conv2d(c, o, 1, stride, bias=False), nn.BatchNorm2d(o))
        self.down = nn.Identity() if (c, stride) == (o, 1) else down

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.down(x)
        return self.relu(y)


class PreActivation(nn.Module):
    """Batch norms before the convolutions: they become requantisations of their own."""

    def __init__(self, c: int):
        super().__init__()
        self.stem = nn.Conv2d(3, c, 3, padding=1)
        self.bn1, self.conv1 = nn.BatchNorm2d(c), nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(c), nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.bn3, self.fc = nn.BatchNorm2d(c), nn.Linear(c, 5)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.conv1(F.relu(self.bn1(x)))
        x = x + self.conv2(F.relu(self.bn2(x)))
        return self.fc(F.relu(self.bn3(x)).mean((2, 3)))


class Bottleneck(nn.Module):
    """MobileNetV2: linear bottlenecks, ReLU6, depthwise, residual."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.expand = nn.Sequential(nn.Conv2d(8, 24, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU6())
        self.depth = nn.Sequential(nn.Conv2d(24, 24, 3, 1, 1, groups=24, bias=False), nn.BatchNorm2d(24), nn.ReLU6())
        self.project = nn.Sequential(nn.Conv2d(24, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.project(self.depth(self.expand(x)))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


def conv_bn(c: int, o: int, k: int = 3, act: nn.Module | None = None, **options: object) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c, o, k, **options), nn.BatchNorm2d(o), act or nn.ReLU())


def tail(features: int) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(features, 5)]


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "residual": (
        lambda: nn.Sequential(
            conv_bn(3, 8, padding=1), Block(8, 8, 1), Block(8, 12, 2), nn.AdaptiveAvgPool2d(1), *tail(12)
        ),
        (3, 12, 12),
    ),
    "pre-activation": (lambda: PreActivation(8), (3, 10, 10)),
    "bottleneck": (Bottleneck, (3, 16, 16)),
    "depthwise": (
        lambda: nn.Sequential(
            conv_bn(1, 12, padding=1), conv_bn(12, 12, padding=1, groups=12, stride=2), conv_bn(12, 16, 1), *tail(400)
        ),
        (1, 10, 9),
    ),
    "groups": (
        lambda: nn.Sequential(conv_bn(3, 8), conv_bn(8, 12, groups=4), conv_bn(12, 24, groups=12), *tail(24 * 9)),
        (3, 9, 9),
    ),
    "stride and dilation": (
        lambda: nn.Sequential(conv_bn(3, 8, stride=2), conv_bn(8, 8, dilation=2, padding=2), *tail(8 * 49)),
        (3, 15, 15),
    ),
    "asymmetric padding": (
        lambda: nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)),
            conv_bn(3, 8, stride=2),
            nn.ZeroPad2d((1, 0, 2, 0)),
            conv_bn(8, 8, act=nn.Hardtanh(-1, 1)),
            nn.ZeroPad2d(1),
            conv_bn(8, 8, padding=1),
            *tail(8 * 56),
        ),
        (3, 12, 12),
    ),
    "padding same": (
        lambda: nn.Sequential(conv_bn(3, 8, 4, padding="same"), conv_bn(8, 8, 3, padding="valid"), *tail(8 * 36)),
        (3, 8, 8),
    ),
    "hardtanh": (
        lambda: nn.Sequential(
            conv_bn(3, 8, act=nn.Hardtanh(-0.7, 1.1)), conv_bn(8, 8, act=nn.Hardtanh(0.2, 0.9)), *tail(8 * 36)
        ),
        (3, 10, 10),
    ),
    "pools": (
        lambda: nn.Sequential(
            conv_bn(3, 8, padding=1),
            nn.MaxPool2d(3, 2, 1),
            conv_bn(8, 8, padding=1, act=nn.Identity()),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.AvgPool2d(3, 2, 1),
            nn.ReLU(),
            *tail(8 * 4),
        ),
        (3, 14, 14),
    ),
    "linear": (
        lambda: nn.Sequential(
            nn.Linear(30, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Linear(40, 32), nn.ReLU6(), nn.Linear(32, 4)
        ),
        (30,),
    ),
    "one dimension": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 8, 5, 2, 2),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(8, 8, 3, padding="same", groups=8),
            nn.ReLU(),
            nn.AvgPool1d(2),
            nn.Conv1d(8, 8, 3, dilation=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(8, 3),
        ),
        (3, 60),
    ),
}
INPUTS = {
    "normal": lambda shape: torch.randn(BATCH, *shape),
    "pixels": lambda shape: torch.rand(BATCH, *shape) * 255,  # not normalised
    "shifted": lambda shape: torch.rand(BATCH, *shape) * 3 - 11,
}


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # even kernels; a matter of speed
@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", NETS)
def test_every_layer_agrees_with_the_fake_quantised_model(name, kind):
    make, shape = NETS[name]
    x = INPUTS[kind](shape)
    agree(prepared(make(), x), x)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("name", ["residual", "bottleneck", "pools"])
def test_narrow_activations_agree(name, bits):
    make, shape = NETS[name]
    x = INPUTS["normal"](shape)
    graph = agree(prepared(make(), x, activations=qat.LSQ(bits=bits)), x)
    assert ir.DType(f"u{bits}") in {n.output.type.dtype for n in graph.nodes}


@pytest.mark.parametrize("name", ["residual", "bottleneck", "linear"])
@pytest.mark.parametrize("keep", [[], None], ids=["all ternary", "default"])
def test_trained_networks_agree(name, keep):
    make, shape = NETS[name]
    x, y = torch.randn(200, *shape), torch.randint(0, 3, (200,))
    net = qat.prepare(shake(make()), keep=keep)
    qat.fit(net, (x, y), epochs=2, lr=1e-2, batch_size=50, progress=False)
    graph = agree(net.eval(), x)
    weights = {v.name: v.type.dtype for v in graph.constants if v.name.endswith(".weight")}
    assert (set(weights.values()) == {ir.DType.T}) == (keep == [])


def test_the_network_as_a_whole_agrees():
    make, shape = NETS["residual"]
    x, y = torch.randn(300, *shape), torch.arange(300) % 5
    x += torch.randn(5, *shape)[y] * 2
    net = qat.prepare(make())
    qat.fit(net, (x, y), epochs=4, lr=1e-2, batch_size=50, progress=False)
    net.eval()
    graph = lower(net, x)
    codes = fake_codes(net, x)
    (out,) = interp.run(graph, codes[graph.inputs[0].name].astype(np.uint8))
    with torch.no_grad():
        want = net(x)
    assert (out.argmax(1) == want.argmax(1).numpy()).mean() >= 0.99
    error = out * graph.outputs[0].type.quant.scale - want.numpy()
    assert 10 * np.log10(want.numpy().var() / error.var()) > 35  # dB


# The structure


def test_the_graph_of_a_small_network():
    x = torch.randn(8, 1, 8, 8)
    model = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 4, 3), nn.ReLU6(), nn.MaxPool2d(2), *tail(36))
    graph = lower(prepared(model, x), x, "net")
    assert graph.name == "net" and ops_of(graph) == ["Conv2d", "MaxPool", "Flatten", "Linear"]
    assert [n.name for n in graph.nodes] == ["1", "3", "4", "5"] and graph.inputs[0].name == "input"
    conv = graph.nodes[0].op
    assert isinstance(conv, ops.conv2d.Conv2d)
    assert conv.padding == (0, 0, 1, 1) and conv.pad_value == 128 == graph.inputs[0].type.zero_point
    assert graph.outputs[0].type.dtype is ir.DType.I16 and graph.outputs[0].type.shape == (5,)
    assert graph.inputs[0].type == ir.Tensor(ir.DType.U8, (1, 8, 8), graph.inputs[0].type.quant)


def test_clips_become_limits():
    x = torch.randn(8, 4)
    model = nn.Sequential(nn.Linear(4, 8), nn.Hardtanh(-0.25, 0.5), nn.Linear(8, 2))
    net = prepared(model, x)
    node = lower(net, x).nodes[0]
    q, scale = node.op.to, node.output.type.quant.scale
    assert (q.lo, q.hi) == (int(np.floor(-0.25 / scale + 0.5)) + 128, min(255, int(np.floor(0.5 / scale + 0.5)) + 128))


def test_a_layer_used_twice_has_its_weights_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x):
            return self.c(self.b(self.b(self.a(x).relu()).relu()).relu())

    x = torch.randn(BATCH, 6)
    graph = agree(prepared(Twice(), x), x)
    assert [n.name for n in graph.nodes] == ["a", "b", "b.2", "c"]
    assert sum(v.name.startswith("b.weight") for v in graph.constants) == 1


def test_saving_writes_an_archive_with_the_quantised_sample(tmp_path):
    make, shape = NETS["bottleneck"]
    x = torch.randn(5, *shape)
    net = prepared(make(), x)
    graph = qat.save(net, x, tmp_path / "m.mcugen", name="bottle")
    loaded = archive.load(tmp_path / "m.mcugen")
    assert ir.text(loaded.graph) == ir.text(graph) and loaded.graph.name == "bottle"
    assert loaded.samples[0].shape == (5, *shape) and loaded.samples[0].dtype == np.uint8
    (out,) = interp.run(loaded.graph, *loaded.samples)
    assert out.shape == (5, 4)
    first = (tmp_path / "m.mcugen").read_bytes()
    qat.save(net, x, tmp_path / "m.mcugen", name="bottle")
    assert (tmp_path / "m.mcugen").read_bytes() == first and [p.name for p in tmp_path.iterdir()] == ["m.mcugen"]


def test_an_archive_of_a_module_has_the_sample(tmp_path):
    x = torch.randn(3, 30)
    net = prepared(NETS["linear"][0](), x)
    made = to_archive(net, x, name="dense")
    assert made.graph.name == "dense" and np.array_equal(made.samples[0], fake_codes(net, x)["input"])


def test_lowering_changes_nothing():
    make, shape = NETS["residual"]
    x = torch.randn(BATCH, *shape)
    net = prepared(make(), x)
    net.train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    lower(net, x)
    fake_codes(net, x)
    assert all(m.training for m in net.modules())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_all_zero_weights_and_constant_channels():
    x = torch.randn(BATCH, 3, 6, 6)
    net = prepared(nn.Sequential(conv_bn(3, 4), conv_bn(4, 4), *tail(16)), x)
    with torch.no_grad():
        net.get_submodule("1.0").parametrizations.weight.original[1:] = 0
        net.get_submodule("1.1").weight[3] = 0
    agree(net, x)


# The ladder: one small network per module kind. Supported: it lowers and runs.


def ladder(layer: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), layer, nn.Conv2d(8, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


class Fn(nn.Module):
    """A function as a module that is traced into."""

    def __init__(self, function: Callable[..., torch.Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


SUPPORTED: dict[str, Callable[[], nn.Module]] = {
    "Conv2d": lambda: nn.Conv2d(8, 8, 3),
    "Conv2d strided": lambda: nn.Conv2d(8, 8, 3, (2, 1), (0, 1)),
    "Conv2d grouped": lambda: nn.Conv2d(8, 8, 3, groups=2),
    "Conv2d depthwise": lambda: nn.Conv2d(8, 8, 3, groups=8),
    "Conv2d depth multiplier": lambda: nn.Sequential(nn.Conv2d(8, 16, 3, groups=8), nn.ReLU(), nn.Conv2d(16, 8, 1)),
    "BatchNorm2d": lambda: nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)),
    "BatchNorm2d without affine": lambda: nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8, affine=False)),
    "BatchNorm2d alone": lambda: nn.BatchNorm2d(8),
    "BatchNorm2d then ReLU6 alone": lambda: nn.Sequential(nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.ReLU6()),
    "ReLU": nn.ReLU,
    "ReLU6": nn.ReLU6,
    "Hardtanh": nn.Hardtanh,
    "Hardswish": nn.Hardswish,
    "Hardsigmoid": nn.Hardsigmoid,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "hardswish": lambda: Fn(F.hardswish),
    "tanh then ReLU": lambda: Fn(lambda x: torch.relu(x.tanh())),
    "clamp": lambda: Fn(lambda x: x.clamp(0.1, 0.5)),
    "clamp one side": lambda: Fn(lambda x: torch.clamp(x, max=0.5)),
    "MaxPool2d": lambda: nn.MaxPool2d(2),
    "MaxPool2d padded": lambda: nn.MaxPool2d(3, 2, 1),
    "MaxPool2d ceil": lambda: nn.MaxPool2d(3, 2, 0, ceil_mode=True),
    "AvgPool2d": lambda: nn.AvgPool2d(2),
    "AvgPool2d padded": lambda: nn.AvgPool2d(3, 2, 1),
    "AvgPool2d divisor": lambda: nn.AvgPool2d(2, divisor_override=3),
    "AdaptiveAvgPool2d": lambda: nn.AdaptiveAvgPool2d((4, None)),
    "max_pool2d": lambda: Fn(lambda x: F.max_pool2d(x, 2, padding=1)),
    "avg_pool2d": lambda: Fn(lambda x: F.avg_pool2d(x, (2, 4))),
    "adaptive_avg_pool2d": lambda: Fn(lambda x: F.adaptive_avg_pool2d(x, 2)),
    "mean": lambda: Fn(lambda x: x.mean((-1, -2), keepdim=True)),
    "torch.mean": lambda: Fn(lambda x: torch.mean(x, dim=[2, 3], keepdim=True)),
    "Identity": nn.Identity,
    "Dropout": nn.Dropout,
    "Dropout2d": nn.Dropout2d,
    "dropout": lambda: Fn(lambda x: F.dropout(x, training=True)),
    "contiguous": lambda: Fn(lambda x: x.contiguous()),
    "ZeroPad2d": lambda: nn.Sequential(nn.ZeroPad2d((1, 2, 3, 0)), nn.Conv2d(8, 8, 3)),
    "pad": lambda: nn.Sequential(Fn(lambda x: F.pad(x, (1, 2))), nn.Conv2d(8, 8, 3)),
    "pad then max pool": lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(3, 2)),
    "pad then average": lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.AvgPool2d(3, 2)),
    "relu": lambda: Fn(F.relu),
    "relu6": lambda: Fn(F.relu6),
    "hardtanh": lambda: Fn(lambda x: F.hardtanh(input=x, min_val=0.0)),
    "x.relu": lambda: Fn(lambda x: x.relu()),
    "add": lambda: Fn(lambda x: x + F.max_pool2d(x, 3, 1, 1)),
    "torch.add": lambda: Fn(lambda x: torch.add(input=x, other=F.max_pool2d(x, 3, 1, 1))),
    "x.add": lambda: Fn(lambda x: x.add(x)),
    "pad then add": lambda: Fn(lambda x: F.pad(x, (1, 1)) + F.pad(x, (1, 1))),
    "pad signed then max pool": lambda: nn.Sequential(nn.Conv2d(8, 8, 1), nn.ZeroPad2d((1, 0, 0, 0)), nn.MaxPool2d(2)),
    "cat": lambda: nn.Sequential(Fn(lambda x: torch.cat([x, F.max_pool2d(x, 3, 1, 1)], 1)), nn.Conv2d(16, 8, 1)),
    "cat of itself, thrice": lambda: nn.Sequential(
        Fn(lambda x: torch.cat((x, x.tanh(), x), dim=1)), nn.Conv2d(24, 8, 1)
    ),
    "mul": lambda: Fn(lambda x: x * x.sigmoid()),
    "x.mul": lambda: Fn(lambda x: torch.mul(x, x.tanh()).mul(x)),
    "squeeze and excitation": lambda: Fn(lambda x: x.mean((2, 3), keepdim=True).sigmoid() * x),
    "Upsample": lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.MaxPool2d(2)),
    "interpolate": lambda: nn.Sequential(Fn(lambda x: F.interpolate(x, scale_factor=(1, 3))), nn.AvgPool2d((1, 3))),
    "reshape inside": lambda: nn.Sequential(Fn(lambda x: x.view(x.size(0), 4, 8, 16)), nn.Conv2d(4, 8, 3)),
    "view and back": lambda: Fn(lambda x: x.view(x.shape[0], 8, 8, 8)),
}


@pytest.mark.parametrize("name", SUPPORTED)
def test_supported(name):
    x = torch.randn(BATCH, 3, 8, 8)
    agree(prepared(ladder(SUPPORTED[name]()), x), x)


FLATTENS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "flatten": lambda x: torch.flatten(x, 1),
    "x.flatten": lambda x: x.flatten(start_dim=1),
    "view": lambda x: x.view(x.size(0), -1),
    "view sizes": lambda x: x.view(-1, 8 * 6 * 6),
    "reshape": lambda x: x.reshape(x.shape[0], -1),
    "torch.reshape": lambda x: torch.reshape(x, (-1, 288)),
    "computed": lambda x: x.view(x.size(0), x.size(1) * x.size(2) * x.size(3)),
}


@pytest.mark.parametrize("name", FLATTENS)
def test_flattening(name):
    x = torch.randn(BATCH, 3, 8, 8)
    net = prepared(nn.Sequential(conv_bn(3, 8), Fn(FLATTENS[name]), nn.Linear(288, 3)), x)
    assert ops_of(agree(net, x)) == ["Conv2d", "Flatten", "Linear"]


TO_IMAGE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "index": lambda x: x[:, :, None, None],
    "ellipsis": lambda x: x[..., None, None],
    "view": lambda x: x.view(x.size(0), 8, 1, 1),
    "reshape": lambda x: torch.reshape(x, (-1, 8, 1, 1)),
    "unsqueeze": lambda x: x.unsqueeze(-1).unsqueeze(-1),
    "unflatten": lambda x: x.unflatten(1, (8, 1, 1)),
    "torch.unflatten": lambda x: torch.unflatten(x, 1, (-1, 1, 1)),
}


class Excite(nn.Module):
    """Squeeze and excitation with fully connected layers."""

    def __init__(self, to_image: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        self.squeeze, self.excite, self.to_image = nn.Linear(8, 4), nn.Linear(4, 8), to_image

    def forward(self, x):
        y = self.excite(torch.relu(self.squeeze(x.mean((2, 3)))))
        return x * self.to_image(torch.sigmoid(y))


@pytest.mark.parametrize("name", TO_IMAGE)
def test_squeeze_and_excitation_with_linear(name):
    x = torch.randn(BATCH, 3, 8, 8)
    graph = agree(prepared(ladder(Excite(TO_IMAGE[name])), x), x)
    assert "Reshape" in ops_of(graph) and "Mul" in ops_of(graph)
    driver.compile(archive.Archive(graph, (np.zeros((0, 3, 8, 8), np.uint8),)), target="cortex-m0")


SOFTMAX: dict[str, Callable[[], nn.Module]] = {
    "Softmax": lambda: nn.Softmax(1),
    "Softmax of the last": lambda: nn.Softmax(dim=-1),
    "F.softmax": lambda: Fn(lambda x: F.softmax(x, dim=1)),
    "torch.softmax": lambda: Fn(lambda x: torch.softmax(x, 1)),
    "x.softmax": lambda: Fn(lambda x: x.softmax(-1)),
}


@pytest.mark.parametrize("name", SOFTMAX)
def test_softmax_at_the_end(name):
    x = torch.randn(200, 30)
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 7), SOFTMAX[name]())
    net = prepared(model, x)
    graph = lower(net, x)
    assert ops_of(graph) == ["Linear", "Linear", "Softmax"]
    (y,) = graph.outputs
    assert graph.nodes[1].output.type.dtype is ir.DType.I16 and y.type.quant == ir.Quant(2.0**-15)
    codes = fake_codes(net, x)
    env = {v.name: a for v, a in interp.trace(graph, codes["input"].astype(np.uint8)).items()}
    logits = torch.from_numpy(env["2"].astype(np.float64)) * graph.nodes[1].output.type.quant.scale
    want = logits.softmax(1).numpy()
    assert np.abs(env[y.name] / 2**15 - want).max() < 4 / 2**15  # the exponentials have 15 bits
    with torch.no_grad():
        assert np.abs(env[y.name] / 2**15 - net(x).numpy()).max() < 0.02


ARGMAX: dict[str, Callable[[], nn.Module]] = {
    "x.argmax": lambda: Fn(lambda x: x.argmax(1)),
    "torch.argmax": lambda: Fn(lambda x: torch.argmax(x, dim=-1, keepdim=True)),
}


@pytest.mark.parametrize("name", ARGMAX)
def test_argmax_at_the_end(name):
    x = torch.randn(200, 3, 6, 6)
    model = nn.Sequential(conv_bn(3, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 7), ARGMAX[name]())
    net = prepared(model, x)
    graph = lower(net, x)
    assert ops_of(graph)[-2:] == ["Linear", "ArgMax"] and graph.outputs[0].type.shape == (1,)
    (y,) = interp.run(graph, fake_codes(net, x)["input"].astype(np.uint8))
    with torch.no_grad():
        assert (y[:, 0] == net(x).reshape(-1).numpy()).mean() > 0.98
    made = driver.load(net, x)
    assert driver.compile(made).archive.graph.outputs[0].name == graph.outputs[0].name


def test_argmax_inside_is_refused():
    with pytest.raises(ModelError, match=r"E101.*argmax inside"):
        qat.prepare(ladder(Fn(lambda x: torch.argmax(x, 1, keepdim=True))))


@pytest.mark.parametrize("end", [nn.Softmax(1), Fn(lambda x: x.argmax(1))], ids=["softmax", "argmax"])
def test_ends_of_images_are_refused(end):
    x = torch.randn(4, 3, 6, 6)
    net = prepared(nn.Sequential(nn.Conv2d(3, 4, 3), end), x)
    with pytest.raises(ModelError, match=r"E103.*of an image"):
        lower(net, x)


def test_one_dimension_through_the_compiler(tmp_path):
    """(C, T, 1): convolutions, both poolings and batch norm over time, to C on this machine."""
    make, shape = NETS["one dimension"]
    x = torch.randn(40, *shape)
    net = prepared(make(), x)
    artifact = driver.compile(net, x, target="cortex-m4", name="series")
    assert artifact.archive.graph.inputs[0].type.shape == (3, 60, 1)
    artifact.save(tmp_path / "fw")
    verdict = validate.validate(tmp_path / "fw", artifact, "host", driver.vectors(artifact.archive, 60))
    assert verdict.passed, validate.text(verdict)
    y = artifact.run(artifact.archive.samples[0]) * artifact.archive.graph.outputs[0].type.quant.scale
    with torch.no_grad():
        want = net(x).numpy()
    assert 10 * np.log10(want.var() / (y - want).var()) > 25  # dB


def test_the_input_may_be_reshaped():
    x = torch.randn(BATCH, 40)
    model = nn.Sequential(Fn(lambda x: x.unsqueeze(1)), nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(152, 2))
    graph = agree(prepared(model, x), x)
    assert graph.inputs[0].type.shape == (1, 40, 1)


def test_ends_other_than_a_layer():
    x = torch.randn(BATCH, 3, 8, 8)
    for last in (nn.ReLU(), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), Fn(lambda x: x + x), nn.Hardtanh()):
        graph = agree(prepared(nn.Sequential(conv_bn(3, 4), nn.Conv2d(4, 4, 3), last), x), x)
        assert graph.outputs[0].type.dtype is ir.DType.I16


# Not supported: the code, the place, and what to use instead.

REFUSED: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "LayerNorm": (lambda: nn.LayerNorm([8, 8, 8]), "LayerNorm", "BatchNorm2d"),
    "GroupNorm": (lambda: nn.GroupNorm(2, 8), "GroupNorm", "BatchNorm2d"),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(8), "InstanceNorm2d", "BatchNorm2d"),
    "BatchNorm2d of batches": (
        lambda: nn.BatchNorm2d(8, track_running_stats=False),
        "statistics",
        "track_running_stats",
    ),
    "GELU": (nn.GELU, "GELU", "ReLU"),
    "SiLU": (nn.SiLU, "SiLU", "ReLU"),
    "LeakyReLU": (nn.LeakyReLU, "LeakyReLU", "ReLU6"),
    "PReLU": (nn.PReLU, "PReLU", "ReLU6"),
    "Softmax": (lambda: nn.Softmax(1), "softmax inside", "logits"),
    "Softmax over the width": (lambda: nn.Softmax(3), "softmax with dim=3", "dim=1"),
    "log_softmax": (lambda: Fn(lambda x: F.log_softmax(x, 1)), "log_softmax", "logits"),
    "argmax of all": (lambda: Fn(lambda x: x.argmax()), "argmax with dim=None", "dim=1"),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(8, 8, 3), "ConvTranspose2d", "convolution"),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), "mode='bilinear'", "nearest"),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), "PixelShuffle", "mcugen ops"),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d(1), "AdaptiveMaxPool2d", "mcugen ops"),
    "MaxPool2d dilated": (lambda: nn.MaxPool2d(2, dilation=2), "dilation", "plain"),
    "Conv2d reflect": (lambda: nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), "reflect", "zeros"),
    "gelu": (lambda: Fn(F.gelu), "gelu", ""),
    "softmax": (lambda: Fn(lambda x: F.softmax(x, 1)), "softmax inside", "logits"),
    "cat": (lambda: Fn(lambda x: torch.cat([x, x], 2)), "concatenation along axis 2", "channels"),
    "mul": (lambda: Fn(lambda x: x * 2.0), "multiplication by a constant", "batch norm"),
    "constant": (lambda: Fn(lambda x: x + 1.0), "constant", "bias"),
    "sub": (lambda: Fn(lambda x: x - x), "sub", "addition"),
    "alpha": (lambda: Fn(lambda x: torch.add(x, x, alpha=2)), "alpha", "weights"),
    "index": (lambda: Fn(lambda x: x[:, :4]), "indexing", ""),
    "conv2d": (lambda: Fn(lambda x: F.conv2d(x, torch.ones(8, 8, 1, 1))), "conv2d", "nn.Conv2d"),
    "chunk": (lambda: Fn(lambda x: x.chunk(2, 1)), "chunk", ""),
    "permute": (lambda: Fn(lambda x: x.permute(0, 2, 1, 3)), "permute", ""),
    "pad with ones": (lambda: Fn(lambda x: F.pad(x, (1, 1), value=1.0)), "padding", "zeros"),
    "mean of all": (lambda: Fn(lambda x: x.mean()), "mean", "mean((2, 3))"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_prepare(name):
    make, word, advice = REFUSED[name]
    with pytest.raises(ModelError) as e:
        qat.prepare(ladder(make()), sample=torch.randn(2, 3, 8, 8))
    assert e.value.code == "E101"
    assert e.value.where.split(".")[0] == "2", e.value.where
    assert word in e.value.message and advice in e.value.hint
    assert "(2, 8, 8, 8)" in e.value.message or name == "conv2d"


LATER: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "adaptive that does not divide": (lambda: nn.AdaptiveAvgPool2d(3), "E103"),
    "average with ceil": (lambda: nn.AvgPool2d(3, 2, ceil_mode=True), "E101"),
    "average without padding in the count": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), "E101"),
    "negative padding": (lambda: nn.Sequential(nn.ZeroPad2d(-1), nn.Conv2d(8, 8, 1)), "E101"),
    "mean of one axis": (lambda: Fn(lambda x: x.mean(2, keepdim=True)), "E103"),
    "broadcasting": (lambda: Fn(lambda x: x + F.adaptive_avg_pool2d(x, 1)), "E103"),
}


@pytest.mark.parametrize("name", LATER)
def test_refused_by_lower(name):
    make, code = LATER[name]
    x = torch.randn(BATCH, 3, 8, 8)
    net = prepared(ladder(make()), x)
    with pytest.raises(ModelError) as e:
        lower(net, x)
    assert e.value.code == code and e.value.where.split(".")[0] == "2" and e.value.hint


def test_the_batch_axis_must_stay():
    x = torch.randn(BATCH, 3, 8, 8)
    for function, one in ((lambda x: x.view(1, -1), True), (lambda x: x.flatten(), True)):
        net = qat.prepare(nn.Sequential(nn.Conv2d(3, 2, 1), Fn(function)))
        qat.calibrate(net, [x[:1]])
        with pytest.raises(ModelError) as e:
            lower(net, x[:1])
        assert e.value.code == "E103" and one


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        y = self.fc(x)
        return F.relu(y, inplace=True) + y


class Parameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.w = nn.Linear(4, 4), nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.fc(x) + self.w


@pytest.mark.parametrize("model", [TwoInputs, InPlace, Parameter, nn.ReLU, nn.Identity], ids=lambda m: m.__name__)
def test_networks_of_a_wrong_form(model):
    with pytest.raises(ModelError) as e:
        qat.prepare(model())
    assert e.value.code == "E101"


def test_lower_wants_a_prepared_and_calibrated_model():
    x = torch.randn(4, 3, 8, 8)
    model = ladder(nn.ReLU())
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: lower(model, x), "E107"),
        (lambda: lower(qat.prepare(model), x), "E102"),
        (lambda: lower(prepared(model, x), x[0, 0, 0]), "E107"),
        (lambda: lower(prepared(model, x), x, name="my model"), "E107"),
        (lambda: lower(prepared(model, x), x[:, :1]), "E103"),
        (lambda: lower(torch.fx.symbolic_trace(model), x), "E102"),
    ]
    for call, code in cases:
        with pytest.raises(ModelError) as e:
            call()
        assert e.value.code == code


def test_layers_without_a_weight_quantiser_are_named():
    x = torch.randn(4, 3, 8, 8)
    net = prepared(ladder(nn.ReLU()), x)
    nn.utils.parametrize.remove_parametrizations(net.get_submodule("3"), "weight")
    with pytest.raises(ModelError) as e:
        lower(net, x)
    assert (e.value.code, e.value.where) == ("E104", "3")


def test_unusable_numbers_are_named():
    x = torch.randn(4, 3, 8, 8)
    for spoil, where in (
        (lambda n: n.get_submodule("0.1").running_var.fill_(float("nan")), "0.1"),
        (lambda n: n.get_submodule("0.0").parametrizations.weight.original.data.fill_(float("inf")), "0.0"),
    ):
        net = prepared(nn.Sequential(conv_bn(3, 4), nn.Conv2d(4, 2, 1)), x)
        spoil(net)
        with pytest.raises(ModelError) as e:
            lower(net, x)
        assert (e.value.code, e.value.where) == ("E105", where)


# Several inputs and outputs


class Fusion(nn.Module):
    """An image and a vector to two heads."""

    def __init__(self, give: Callable[..., object] = lambda h, a, b: {"gesture": a, "position": b}) -> None:
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(6, 5)
        self.mid, self.gesture, self.position = nn.Linear(4 * 4 * 4 + 5, 12), nn.Linear(12, 4), nn.Linear(12, 2)
        self.give = give

    def forward(self, image, imu):
        a = F.max_pool2d(F.relu(self.bn(self.conv(image))), 2).flatten(1)
        h = F.relu(self.mid(torch.cat([a, F.relu(self.fc(imu))], 1)))
        return self.give(h, self.gesture(h), self.position(h))


def fusion(give: Callable[..., object] | None = None, **options: object) -> tuple[torch.fx.GraphModule, Sample]:
    model = shake(Fusion(give) if give else Fusion())
    x = (torch.randn(BATCH, 1, 8, 8), torch.randn(BATCH, 6) * 3)
    net = qat.prepare(model, sample=x, **options)
    qat.recalibrate_bn(net, [x])
    qat.calibrate(net, [(x, torch.zeros(BATCH))])
    return net.eval(), x


def test_several_inputs_and_outputs_agree():
    net, x = fusion()
    graph = agree(net, x)
    assert [v.name for v in graph.inputs] == ["image", "imu"]
    assert [v.name for v in graph.outputs] == ["gesture", "position"]
    assert [v.type.shape for v in graph.outputs] == [(4,), (2,)]
    assert {v.type.dtype for v in graph.outputs} == {ir.DType.I16}
    assert graph.inputs[0].type.quant != graph.inputs[1].type.quant
    outputs = interp.run(graph, *to_archive(net, x).samples)
    with torch.no_grad():
        want = net(*x)
    assert isinstance(want, dict)
    for v, got in zip(graph.outputs, outputs, strict=True):
        error = got * v.type.quant.scale - want[v.name].numpy()
        assert 10 * np.log10(want[v.name].numpy().var() / error.var()) > 30  # dB


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0"])
def test_several_inputs_and_outputs_compile(target, tmp_path):
    net, x = fusion()
    artifact = mcugen.compile(net, x, target=target, name="fusion")
    artifact.save(tmp_path / "out")
    places = ["host", "sanitize", *(["qemu"] if shutil.which("qemu-system-arm") else [])]
    for place in places:
        v = validate.validate(tmp_path / "out", artifact, place, driver.vectors(artifact.archive, 40))
        assert v.passed, validate.text(v)
    header = artifact.files["fusion.h"].decode()
    assert "const uint8_t imu[FUSION_IMU_LEN],\n    int16_t gesture[FUSION_GESTURE_LEN]," in header
    found = artifact.run(dict(zip(("image", "imu"), artifact.archive.samples, strict=True)))
    assert [a.shape for a in found] == [(BATCH, 4), (BATCH, 2)]
    qat.save(net, x, tmp_path / "fusion.mcugen", "fusion")
    assert [len(s) for s in archive.load(tmp_path / "fusion.mcugen").samples] == [BATCH, BATCH]


def test_an_output_that_the_network_reads_stays_as_it_is_read():
    net, x = fusion(lambda h, a, b: (a, h, a.flatten(1), b))
    graph = agree(net, x)
    assert [v.type.dtype for v in graph.outputs] == [ir.DType.I16, ir.DType.U8, ir.DType.I16, ir.DType.I16]
    assert graph.outputs[1].name == "mid" and graph.uses(graph.outputs[1])


def test_layers_at_every_end_stay_int8():
    assert qat.default_keep(Fusion()) == ["conv", "fc", "gesture", "position"]
    assert qat.default_keep(Fusion(lambda h, a, b: h)) == ["conv", "fc", "mid"]


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x, other, option=None):
        return {"x": self.fc(x), "same": x}


def test_an_input_that_nothing_reads_stays_and_names_are_the_inputs_first():
    x = (torch.randn(9, 4), torch.randn(9, 2))
    net = qat.prepare(Unused())
    qat.calibrate(net, [(*x, torch.zeros(9))])
    graph = agree(net.eval(), x)
    assert [v.name for v in graph.inputs] == ["x", "other"]
    assert [v.name for v in graph.outputs] == ["x.2", "x"]  # the second is the input itself
    assert not graph.uses(graph.inputs[1])


def test_several_inputs_and_outputs_that_cannot_be():
    x = (torch.randn(9, 1, 8, 8), torch.randn(9, 6))
    net, _ = fusion()
    bad: list[tuple[Callable[[], object], str, str]] = [
        (lambda: qat.prepare(Fusion(lambda h, a, b: [a, [b]])), "E101", "no tensor"),
        (lambda: qat.prepare(Fusion(lambda h, a, b: (a, None))), "E101", "no tensor"),
        (lambda: qat.prepare(Fusion(lambda h, a, b: ())), "E101", "no tensor"),
        (lambda: qat.prepare(Fusion(lambda h, a, b: {"a b": a})), "E101", "called 'a b'"),
        (lambda: qat.prepare(Fusion(lambda h, a, b: {3: a})), "E101", "called 3"),
        (lambda: qat.prepare(Defaults()), "E101", "option can be left out"),
        (lambda: qat.prepare(Fusion(), sample=x[0]), "E107", "2 inputs"),
        (lambda: lower(net, x[0]), "E107", "2 inputs"),
        (lambda: lower(net, (*x, x[1])), "E107", "2 inputs"),
        (lambda: lower(net, (x[0], x[1][:3])), "E107", "9, 3 samples"),
        (lambda: lower(net, x[::-1]), "E103", "does not run"),
        (lambda: qat.calibrate(net, [x[0]]), "E107", "a batch is Tensor"),
        (lambda: qat.recalibrate_bn(net, [(x[0],)]), "E107", "a batch is tuple"),
        (lambda: qat.evaluate(net, x[0], torch.zeros(9)), "E107", "several inputs"),
        (lambda: qat.fit(net, (x[0], torch.zeros(9)), epochs=1, progress=False), "E107", "several inputs"),
        (lambda: qat.evaluate(Pair(), x[1], torch.zeros(9)), "E107", "gives a tuple"),
        (lambda: qat.fit(Pair(), (x[1], torch.zeros(9)), epochs=1, progress=False), "E107", "gives a tuple"),
    ]
    for call, code, words in bad:
        with pytest.raises(ModelError) as e:
            call()
        assert e.value.code == code and words in str(e.value) and (e.value.hint or code == "E103"), words


class Defaults(nn.Module):
    def forward(self, x, option=1.0):
        return x * option


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(x), x
