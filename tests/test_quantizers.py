"""The weight quantisers against closed forms, in training, and through the front end."""

from __future__ import annotations

import copy
import functools
import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from test_frontend_torch import agree  # noqa: E402
from torch import nn  # noqa: E402

import mcugen  # noqa: E402
from mcugen import qat, validate  # noqa: E402
from mcugen.errors import ModelError  # noqa: E402
from mcugen.frontends.torch import latent_of  # noqa: E402
from mcugen.pack import rice_bits  # noqa: E402
from mcugen.qat.activations import best_step, channel_errors  # noqa: E402
from mcugen.qat.allocate import linear_cka  # noqa: E402
from mcugen.qat.gpfq import unfolded, walk  # noqa: E402
from mcugen.qat.quantizers.pruning import PruningQuantizer, select  # noqa: E402
from mcugen.qat.weights import quantized_layers, quantizer_of  # noqa: E402


@pytest.fixture(autouse=True)
def _seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, bias=False),
        nn.Dropout(0.0),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12 * 4, 4),
    )


def data(n: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    """Four classes: the quarter of an 8x8 image that is bright."""
    y = torch.arange(n) % 4
    x = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(5)) * 0.6
    for i, c in enumerate(y.tolist()):
        x[i, 0, 4 * (c // 2) : 4 * (c // 2) + 4, 4 * (c % 2) : 4 * (c % 2) + 4] += 0.5
    return x, y


@functools.cache
def float_net() -> nn.Module:
    """cnn(), trained."""
    model = cnn()
    qat.fit(model, data(), epochs=4, lr=1e-2, batch_size=32, progress=False)
    return model


def refused(code: str, call, *words: str) -> None:
    with pytest.raises(ModelError) as e:
        call()
    assert e.value.code == code
    assert all(w in str(e.value) for w in words), str(e.value)


def codes_of(net: nn.Module) -> dict[str, torch.Tensor]:
    return {path: q.export(*latent_of(layer))[0] for path, layer, q in quantized_layers(net)}


def nonzero(net: nn.Module) -> dict[str, int]:
    return {path: int(c.count_nonzero()) for path, c in codes_of(net).items()}


def train(net: nn.Module, steps: range, total: int, optimizer: torch.optim.Optimizer) -> None:
    x, y = data()
    net.train()
    for i in steps:
        qat.step(net, i / total)
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# What holds for every quantiser

SPECS = {
    "pruning": qat.PruningTernary(),
    "pruning global": qat.PruningTernary(density=0.3, scope="global", keep_rows=True),
    "pruning channel": qat.PruningTernary(density=0.6, scope="channel", decay="wd", gradient="projected"),
    "direct bits": qat.DirectQuantization(),
    "direct bits layer": qat.DirectQuantization(per="layer", rate=1.0),
    "direct assignment": qat.DirectQuantization("assignment", rate=20.0),
    "ttq": qat.TTQ(),
    "learned step": qat.LearnedStep(),
    "learned step channel": qat.LearnedStep(per="channel"),
    "absmean": qat.AbsMean(),
    "slb": qat.SLB(),
    "slb normal": qat.SLB(initial="normal"),
    "entropy": qat.EntropyTernary(),
    "noise": qat.QuantNoise(qat.TWN()),
    "noise pruning": qat.QuantNoise(qat.PruningTernary(scope="global"), p=0.8),
}


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (5, 7), (4, 1, 3, 3), (3, 2, 5)], ids=str)
@pytest.mark.parametrize("name", SPECS)
def test_the_exported_weight_is_the_one_that_forward_uses(name, shape):
    w = torch.randn(shape)
    q = SPECS[name].quantizer(w).eval()
    latent = q.right_inverse(w)
    latent = latent if isinstance(latent, tuple) else (latent,)
    codes, scale = q.export(*latent)
    assert codes.dtype is torch.int8 and codes.shape == w.shape and codes.abs().max() <= 1
    assert scale.dtype is torch.float64 and scale.shape == (shape[0],)
    assert scale.isfinite().all() and (scale > 0).all()
    again = codes.double() * scale.reshape(-1, *[1] * (w.dim() - 1))
    assert torch.equal(q(*latent).double(), again.float().double())


@pytest.mark.parametrize("name", SPECS)
def test_zero_weights_give_a_usable_scale(name):
    w = torch.zeros(4, 3, 3, 3)
    q = SPECS[name].quantizer(w).eval()
    latent = q.right_inverse(w)
    latent = latent if isinstance(latent, tuple) else (latent,)
    assert q(*latent).isfinite().all()
    _, scale = q.export(*latent)
    assert scale.isfinite().all() and (scale > 0).all()


@pytest.mark.parametrize("name", SPECS)
def test_it_learns_and_the_front_end_takes_it_exactly(name):
    """Trained on from a float network; each layer of the integer network equals the fake-quantised one."""
    x, y = data()
    net = qat.prepare(float_net(), weights=SPECS[name], keep=[])
    history = qat.fit(net, (x, y), (x, y), epochs=10, lr=1e-2, batch_size=32, progress=False)
    assert history[-1].test_accuracy > 0.9
    graph = agree(net.eval(), x)
    codes = codes_of(net)
    for v in graph.constants:
        path, _, field = v.name.rpartition(".")
        if field == "weight":
            assert np.array_equal(v.data.ravel(), codes[path].numpy().ravel()), v.name


@pytest.mark.parametrize("name", SPECS)
def test_training_resumes_exactly(name, tmp_path):
    def fresh():
        torch.manual_seed(3)
        net = qat.prepare(cnn(), weights=SPECS[name], keep=["0"])
        return net, torch.optim.Adam(net.parameters(), lr=1e-2)

    places = (0, 5, 37, 56, 60)
    a, adam = fresh()
    for begin, end in itertools.pairwise(places):
        train(a, range(begin, end), 60, adam)
        qat.save_checkpoint(tmp_path / f"{end}.pt", a, adam)
    for at in places[1:-1]:
        b, adam = fresh()
        qat.load_checkpoint(tmp_path / f"{at}.pt", b, adam)
        train(b, range(at, 60), 60, adam)
        for (key, v), w in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
            assert torch.equal(v, w), (at, key)


@pytest.mark.parametrize("name", SPECS)
def test_unusable_weights_are_named(name):
    model = cnn()
    with torch.no_grad():
        model[4].weight[0, 0, 0, 0] = math.nan
    refused("E105", lambda: qat.prepare(model, weights=SPECS[name]), "4", "not finite")
    empty = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    empty[0].weight = nn.Parameter(torch.zeros(0, 4))
    refused("E103", lambda: qat.prepare(empty, weights=SPECS[name], keep=[]), "0", "empty")


# Pruning ternary


def test_the_largest_are_selected_and_of_equal_ones_the_first():
    w = torch.tensor([[3.0, 1.0, 1.0, 2.0], [1.0, 0.0, 5.0, 1.0]])
    assert select(w.flatten(), 4).int().tolist() == [1, 1, 0, 1, 0, 0, 1, 0]
    assert select(w, 2).int().tolist() == [[1, 0, 0, 1], [1, 0, 1, 0]]
    assert select(torch.ones(12), 6).int().tolist() == [1] * 6 + [0] * 6
    assert not select(w, 0).any() and select(w, 4).all()


@pytest.mark.parametrize("density", [0.02, 0.1, 0.333, 0.5, 0.77, 0.98])
@pytest.mark.parametrize("scope", ["layer", "channel", "global"])
def test_the_density_is_exactly_the_one_asked_for(scope, density):
    model = cnn()
    with torch.no_grad():
        model[4].weight.copy_((model[4].weight * 20).round() / 20)  # many ties
        model[9].weight.fill_(0.1)
    if density < 0.1 and scope == "channel":
        model[0] = nn.Conv2d(1, 8, 5, padding=2, bias=False)
    net = qat.prepare(model, weights=qat.PruningTernary(density=density, scope=scope), keep=["0"])
    adam = torch.optim.Adam(net.parameters(), lr=1e-2)
    found = nonzero(net)
    for _ in range(2):  # as prepared, and as trained
        if scope == "layer":
            assert {p: found[p] for p in ("4", "9")} == {"4": round(density * 864), "9": round(density * 192)}
        elif scope == "channel":
            assert all((c != 0).flatten(1).sum(1).unique().tolist() == [round(density * c[0].numel())]
                       for p, c in codes_of(net).items() if p != "0")  # fmt: skip
        train(net, range(30), 30, adam)
        found = nonzero(net)
        if scope == "global":
            assert found["4"] + found["9"] == round(density * (864 + 192))


def test_the_support_shrinks_by_the_cubic_law_and_is_exact_on_the_way():
    spec = qat.PruningTernary(density=0.4, start=0.8, ramp=0.5, every=1)
    net = qat.prepare(cnn(), weights=spec, keep=["0", "9"])
    for i in range(0, 100, 5):
        f = i / 100
        qat.step(net, f)
        want = 0.4 + 0.4 * (1 - f / 0.5) ** 3 if f < 0.5 else 0.4
        assert nonzero(net)["4"] == round(want * 864)


def test_a_global_threshold_gives_layers_shares_of_their_own():
    model = cnn()
    with torch.no_grad():
        model[4].weight.copy_(model[4].weight.sign())  # all of equal size: none is far below the others
    net = qat.prepare(model, weights=qat.PruningTernary(density=0.5, scope="global"), keep=["0"])
    qat.step(net, 1.0)
    counts = nonzero(net)
    assert counts["4"] + counts["9"] == round(0.5 * (864 + 192))
    rms = [
        w.flatten(1) / w.flatten(1).square().mean(1, keepdim=True).sqrt() for w in (model[4].weight, model[9].weight)
    ]
    least = torch.cat([r.abs().flatten() for r in rms]).sort(descending=True).values[counts["4"] + counts["9"] - 1]
    assert counts["9"] == int((rms[1].abs() >= least - 1e-6).sum()) != 96


def test_selection_is_every_16_steps_and_at_the_ends_of_phases(monkeypatch):
    taken = []
    aim = PruningQuantizer._aim
    monkeypatch.setattr(PruningQuantizer, "_aim", lambda q, *args: (taken.append(step[0]), aim(q, *args)))
    step = [-1]
    net = qat.prepare(cnn(), weights=qat.PruningTernary(ramp=0.5, ternary=0.2, freeze=0.9), keep=["0", "9"])
    taken.clear()
    for step[0] in range(100):
        qat.step(net, step[0] / 100)
    assert taken == [0, 16, 20, 32, 48, 50, 64, 80, 90]


def test_training_takes_the_threshold_and_evaluation_the_exact_number():
    w = torch.randn(6, 50)
    for scope in ("layer", "channel"):
        q = qat.PruningTernary(density=0.4, scope=scope).quantizer(w).train()
        assert torch.equal(q(w), q.eval()(w))
        moved = w + 0.3 * torch.randn(6, 50)
        trained, exact = q.train()(moved), q.eval()(moved)
        norm = moved.norm(dim=1, keepdim=True)
        limit = q.threshold[:, None]
        assert torch.equal(trained != 0, moved.abs() / norm >= limit)
        assert int((exact != 0).sum()) == 120 and int((trained != 0).sum()) != 120
        size = q.norm / (trained != 0).sum(1, keepdim=True).sqrt()
        torch.testing.assert_close(trained, size * moved.sign() * (trained != 0))


def test_before_ternary_rows_are_pruned_and_of_unit_norm():
    w = torch.randn(6, 40)
    q = qat.PruningTernary(density=0.5).quantizer(w).train()
    q.progress.fill_(0.1)
    kept = q.export(w)[0] != 0
    value = q(w)
    assert torch.equal(value != 0, kept)
    torch.testing.assert_close(value.norm(dim=1), q.norm.expand(6))
    torch.testing.assert_close(F.cosine_similarity(value, w * kept), torch.ones(6))
    assert sorted((q.eval()(w) / q.norm).abs().unique().tolist())[0] == 0  # evaluation is ternary all the time
    assert (q.eval()(w).abs().unique(dim=0).shape[0]) <= 6


def test_ternary_rows_have_unit_norm_times_the_layers_factor():
    w = torch.randn(6, 4, 3, 3)
    q = qat.PruningTernary(density=0.5).quantizer(w)
    codes, scale = q.export(w)
    count = (codes != 0).flatten(1).sum(1)
    torch.testing.assert_close(scale, float(q.norm) / count.double().sqrt(), rtol=1e-6, atol=0)
    assert float(q.norm) == pytest.approx(float(w.flatten(1).norm(dim=1).square().mean().sqrt()))
    torch.testing.assert_close(q(w).flatten(1).norm(dim=1), q.norm.expand(6))
    assert torch.equal(codes, (w.sign() * (codes != 0)).to(torch.int8))


@pytest.mark.parametrize("progress", [0.0, 0.5])
def test_gradients_of_pruning_by_hand(progress):
    w = torch.randn(5, 12, dtype=torch.float64, requires_grad=True)
    up = torch.randn(5, 12, dtype=torch.float64)

    def gradient(**options):
        q = qat.PruningTernary(**options).quantizer(w.detach()).train()
        q.progress.fill_(progress)
        (found,) = torch.autograd.grad(q(w), w, up)
        return found, q

    norm = w.detach().norm(dim=1, keepdim=True)
    assert torch.equal(gradient()[0], up)  # what decays is the optimiser's
    torch.testing.assert_close(gradient(decay="wd", strength=0.3)[0], up + 0.3 * w.detach())
    found, q = gradient(decay="disc", strength=0.3)
    unit = q(w).detach() / q.norm
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(found, up + 0.3 * (w.detach() - norm * unit))
    found, q = gradient(decay="none", gradient="projected")
    (exact,) = torch.autograd.grad(q.norm * w / w.norm(dim=1, keepdim=True), w, up)
    torch.testing.assert_close(found, exact)


def test_the_gain_is_learned_only_where_no_batch_norm_follows():
    net = qat.prepare(cnn(), weights=qat.PruningTernary(), keep=[])
    learned = {p: q.gain.requires_grad for p, _, q in quantized_layers(net)}
    assert learned == {"0": False, "4": False, "9": True}
    w = torch.randn(3, 8, dtype=torch.float64)
    up = torch.randn(3, 8, dtype=torch.float64)
    q = qat.PruningTernary().quantizer(w)
    q.without_norm()
    (q(w) * up).sum().backward()

    def at(gain: float) -> float:
        q.gain.data.fill_(gain)
        return float((q(w) * up).sum().detach())

    assert float(q.gain.grad) == pytest.approx((at(1e-5) - at(-1e-5)) / 2e-5)


def test_frozen_codes_stay_whatever_the_latent_weights_do():
    net = qat.prepare(cnn(), weights=qat.PruningTernary(freeze=0.5, ramp=0.3), keep=[])
    adam = torch.optim.Adam(net.parameters(), lr=1e-2)
    train(net, range(31), 60, adam)
    before, norm = codes_of(net), net.get_submodule("1").weight.clone()
    with torch.no_grad():
        net.get_submodule("4").parametrizations.weight.original.neg_()
    train(net, range(31, 60), 60, adam)
    assert all(torch.equal(c, before[p]) for p, c in codes_of(net).items())
    assert not torch.equal(net.get_submodule("1").weight, norm)
    assert not any(layer.parametrizations.weight.original.grad.any() for _, layer, _ in quantized_layers(net))
    qat.step(net, 0.0)  # a new training thaws them
    assert any(not torch.equal(c, before[p]) for p, c in codes_of(net).items())


def test_what_pruning_does_to_the_discrepancy():
    """docs/TRAINING.md: of a Gaussian row at 50 %, .899 to the weights, .933 to the pruned ones."""
    w = torch.randn(4, 60000)
    codes = qat.TWN(threshold=0.845).quantizer(w).export(w)[0].float()
    kept = codes != 0
    k = kept.sum(1)
    cos = (w * kept).abs().sum(1) / (k.sqrt() * w.norm(dim=1))
    assert kept.float().mean() == pytest.approx(0.5, abs=0.01) and float(cos.mean()) == pytest.approx(0.899, abs=2e-3)
    apart = (w / w.norm(dim=1, keepdim=True) - codes / k.sqrt()[:, None]).square().sum(1)
    torch.testing.assert_close(apart, 2 - 2 * cos, rtol=1e-4, atol=1e-5)

    layer = nn.Sequential(nn.Linear(60000, 4, bias=False))
    for weight, want in ((w, 2 - 2 * 0.899), (w * kept, 0.135)):
        layer[0].weight.data.copy_(weight)
        net = qat.prepare(layer, weights=qat.PruningTernary(scope="channel"), keep=[])
        assert qat.discrepancy(net) == {"0": pytest.approx(want, abs=4e-3)}


def test_disc_decay_brings_weights_to_the_ternary_points():
    found = {}
    for decay in ("none", "disc"):
        torch.manual_seed(0)
        net = qat.prepare(cnn(), weights=qat.PruningTernary(decay=decay, strength=0.1), keep=[])
        train(net, range(50), 50, torch.optim.SGD(net.parameters(), lr=0.1))
        found[decay] = qat.discrepancy(net)["4"]
    assert found["disc"] < 0.7 * found["none"]


def test_densities_by_layer():
    spec = qat.PruningTernary(density={"4": 0.25, "9": 0.6})
    net = qat.prepare(cnn(), weights=spec, keep=["0"])
    assert {p: n for p, n in nonzero(net).items() if p != "0"} == {"4": 216, "9": round(0.6 * 192)}
    refused("E107", lambda: qat.prepare(cnn(), weights=spec, keep=[]), "0", "no density")
    refused("E107", lambda: qat.prepare(cnn(), weights=qat.PruningTernary({"conv": 0.5})), "'conv'", "not a layer")
    noise = qat.QuantNoise(spec)
    assert nonzero(qat.prepare(cnn(), weights=noise, keep=["0"])) == nonzero(net)
    refused("E107", lambda: qat.prepare(cnn(), weights=qat.QuantNoise(qat.PruningTernary({"1": 0.5}))), "'1'")


def test_keep_rows_leaves_no_row_empty():
    model = nn.Sequential(nn.Linear(10, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[0].weight[:5, 0] = 9  # rows whose other weights are small, and one that is all large
    for keep_rows, rows in ((False, 1), (True, 6)):
        spec = qat.PruningTernary(density=0.1, keep_rows=keep_rows, start=0.1)
        with torch.no_grad():
            model[0].weight[5] = torch.tensor([-1.0, 1.0] * 5)
        counts = (codes_of(qat.prepare(model, weights=spec, keep=["3"]))["0"] != 0).sum(1)
        assert int(counts.sum()) == 6 and (int((counts > 0).sum()) == 6) >= (rows == 6)
    refused("E107", lambda: qat.PruningTernary(density=0.05, keep_rows=True).quantizer(torch.ones(6, 10)), "6 rows")


@pytest.mark.parametrize(
    "options",
    [
        {"density": 0.0}, {"density": 1.0}, {"density": -0.1}, {"density": 1.5}, {"density": math.nan},
        {"density": "half"}, {"density": 1}, {"density": {"4": 1.0}}, {"density": {"4": 0.5}, "scope": "global"},
        {"scope": "row"}, {"decay": "l2"}, {"gradient": "ste"}, {"start": 0.0}, {"ramp": 1.0}, {"ramp": 0.95},
        {"ternary": 0.95}, {"freeze": 1.1}, {"every": 0}, {"strength": -1.0}, {"strength": math.nan},
    ],
    ids=str,
)  # fmt: skip
def test_bad_options_of_pruning(options):
    refused("E107", lambda: qat.PruningTernary(**options), "PruningTernary")


def test_too_few_weights_and_progress_out_of_range():
    refused("E107", lambda: qat.PruningTernary(density=0.1).quantizer(torch.ones(1, 3)), "leaves 0")
    net = qat.prepare(cnn(), weights=qat.PruningTernary())
    for f in (-0.1, 1.1, math.nan):
        refused("E107", lambda f=f: qat.step(net, f), "progress")


def test_weights_that_diverge_in_training_are_named():
    for scope in ("layer", "global"):
        net = qat.prepare(cnn(), weights=qat.PruningTernary(scope=scope))
        with torch.no_grad():
            net.get_submodule("4").parametrizations.weight.original[0] = math.inf
        refused("E105", lambda net=net: qat.step(net, 0.0), "4")


def test_setting_a_weight_starts_its_quantiser_anew():
    net = qat.prepare(cnn(), weights=qat.PruningTernary(density=0.5), keep=[])
    qat.step(net, 1.0)
    w = torch.randn(12, 8, 3, 3)
    net.get_submodule("4").weight = w
    largest = w.abs() / w.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    for _ in range(2):  # and freezes what it has now
        assert torch.equal(codes_of(net)["4"] != 0, select(largest.flatten(), 432).reshape(w.shape))
        qat.step(net, 1.0)
    assert qat.PruningTernary(density=np.float64(0.5)).density == 0.5


def test_copies_and_other_processes_see_the_same_support():
    """Nothing random and nothing that is not in the state: what distributed training needs."""
    a = qat.prepare(cnn(), weights=qat.PruningTernary(scope="global"), keep=[])
    b = copy.deepcopy(a)
    torch.manual_seed(99)
    for net in (a, b):
        for i in range(40):
            qat.step(net, i / 40)
    assert all(torch.equal(v, w) for v, w in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# Direct quantisation


def originals(q, w):
    return [t.clone().requires_grad_() for t in q.right_inverse(w)]


@pytest.mark.parametrize("per", ["channel", "layer"])
def test_direct_bits_begin_as_exactly_twn(per):
    w = torch.randn(7, 5, 3, 3)
    w[0] = 0
    w[1] = torch.tensor([-1.0, 0, 1]).repeat(15).reshape(5, 3, 3) * 0.7
    for threshold in (0.0, 0.7, 1.5):  # with 1.5, weights exactly at the threshold of row 1
        q = qat.DirectQuantization(per=per, threshold=threshold).quantizer(w)
        twn = qat.TWN(per=per, threshold=threshold).quantizer(w)
        for a, b in zip(q.export(*q.right_inverse(w)), twn.export(w), strict=True):
            assert torch.equal(a, b)
        assert torch.equal(q(*q.right_inverse(w)), twn(w))
    assert all(z.abs().max() <= 1 for z in q.right_inverse(w))


def test_gradients_of_direct_bits_by_hand():
    w, up = torch.randn(4, 9), torch.randn(4, 9)
    q = qat.DirectQuantization().quantizer(w)
    a, b = originals(q, w)
    with torch.no_grad():
        a[0, 0] = 1.5  # clipped: no gradient
    q(a, b).backward(up)
    level = q.level.detach()
    torch.testing.assert_close(a.grad, up * level / 2 * (a.detach().abs() <= 1))
    torch.testing.assert_close(b.grad, up * level / 2)
    assert a.grad[0, 0] == 0
    codes = (a.detach().sign() + b.detach().sign()) / 2
    torch.testing.assert_close(q.level.grad, (up * codes).sum(1, keepdim=True))


def test_gradients_of_the_assignment_by_formula_and_by_differences():
    w, up = torch.randn(3, 5, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    q = qat.DirectQuantization("assignment").quantizer(w).train()
    latent = originals(q, w)
    q.step(0.5)
    heat = float(q.temperature)
    assert heat == pytest.approx(60**0.5)
    out = q(*latent)
    out.backward(up)
    p = torch.softmax(torch.stack([t.detach() for t in latent]) * heat, 0)
    level = q.level.detach()
    for j, t in zip((-1, 0, 1), latent, strict=True):
        torch.testing.assert_close(t.grad, heat * up * (j * level - out.detach()) * p[j + 1])
    torch.testing.assert_close(q.level.grad, (up * (p[2] - p[0])).sum(1, keepdim=True))
    with torch.no_grad():
        values = []
        for d in (1e-6, -1e-6):
            moved = [t.clone() for t in latent]
            moved[2][1, 2] += d
            values.append((q(*moved) * up).sum())
        assert float(latent[2].grad[1, 2]) == pytest.approx(float(values[0] - values[1]) / 2e-6, rel=1e-4)


def test_the_temperature_schedule():
    q = qat.DirectQuantization("assignment").quantizer(torch.randn(2, 3))
    found = []
    for f in (0.0, 0.2, 0.5, 0.8, 0.84, 0.85, 1.0):
        q.step(f)
        found.append((round(float(q.temperature), 3), bool(q.soft)))
    half = round(60**0.5, 3)
    assert found == [(1, True), (1, True), (half, True), (60, True), (60, True), (60, False), (60, False)]
    latent = [torch.tensor([[a]]) for a in (0.5, 0.5, 0.5)]
    assert q.quantize(*latent)[0].item() == 0


def test_assignment_begins_near_the_weights():
    w = torch.randn(8, 100)
    q = qat.DirectQuantization("assignment").quantizer(w).train()
    assert float(F.cosine_similarity(q(*q.right_inverse(w)).detach(), w).min()) > 0.9
    codes, scale = q.export(*q.right_inverse(w))
    nearest = (w / scale[:, None].float()).clamp(-1, 1).round()
    assert torch.equal(codes, nearest.to(torch.int8))


def test_levels_stay_positive_and_bits_in_range_whatever_the_rate():
    for form in ("bits", "assignment"):
        net = qat.prepare(cnn(), weights=qat.DirectQuantization(form), keep=["0"])
        train(net, range(30), 30, torch.optim.SGD(net.parameters(), lr=30.0))
        qat.step(net, 1.0)
        codes, scale = quantized(net, "4")
        assert (scale > 0).all() and codes.abs().max() <= 1
        if form == "bits":
            assert max(z.abs().max() for z in latent_of(net.get_submodule("4"))) <= 1


def quantized(net, path):
    return next(q.export(*latent_of(layer)) for p, layer, q in quantized_layers(net) if p == path)


def test_learning_rates_of_their_own():
    net = qat.prepare(cnn(), weights=qat.DirectQuantization(rate=5.0, level_rate=0.1), keep=["0"])
    groups = qat.parameter_groups(net, 1e-4, 0.01)
    assert [g.get("lr") for g in groups] == [None, None, pytest.approx(0.05), pytest.approx(0.001)]
    assert [g["weight_decay"] for g in groups] == [1e-4, 0, 0, 0]
    assert [len(g["params"]) for g in groups[2:]] == [4, 2]
    everything = {id(p) for p in net.parameters() if p.requires_grad}
    listed = [id(p) for g in groups for p in g["params"]]
    assert len(listed) == len(everything) and set(listed) == everything
    assert ["lr" in g for g in qat.parameter_groups(net, 1e-4)] == [False] * 4


@pytest.mark.parametrize(
    "options",
    [
        {"form": "onehot"}, {"per": "row"}, {"threshold": -1.0}, {"rate": 0.0}, {"level_rate": math.inf},
        {"temperature": 0.5}, {"soft": (0.8, 0.2)}, {"soft": (0.2, 0.9)}, {"soft": (0.2,)}, {"hard": 1.2},
    ],
    ids=str,
)  # fmt: skip
def test_bad_options_of_direct_quantisation(options):
    refused("E107", lambda: qat.DirectQuantization(**options))


# Activations by channel


def uneven() -> torch.Tensor:
    """64 channels of log-normal spread, three of them eight times larger: (16, 64, 8, 8)."""
    x = torch.randn(16, 64, 8, 8).relu() * torch.exp(0.8 * torch.randn(64)).reshape(1, -1, 1, 1)
    x[:, :3] *= 8
    return x


def relative(x: torch.Tensor, step: float, bits: int) -> torch.Tensor:
    """Mean squared error by channel in units of its energy, written out."""
    out = []
    for c in range(x.shape[1]):
        a = x[:, c]
        q = step * (a / step + 0.5).floor().clamp(0, 2**bits - 1)
        out.append(float(((a - q) ** 2).mean() / (a**2).mean()))
    return torch.tensor(out)


@pytest.mark.parametrize("criterion", ["mean", "median", "trimmed"])
@pytest.mark.parametrize("bits", range(1, 9))
def test_the_channel_criterion_finds_its_least_step(criterion, bits):
    x = uneven()
    top = 2**bits - 1
    best_90_percent = lambda e: e.sort().values[:58].mean()  # noqa: E731
    measure = {"mean": torch.mean, "median": lambda e: e.quantile(0.5), "trimmed": best_90_percent}[criterion]
    steps = np.geomspace(0.0011, 1, 40) * float(x.max()) / top
    least = min(float(measure(relative(x, s, bits))) for s in steps)
    found = float(best_step(x, 0, top, samples=x.numel(), criterion=criterion))
    assert float(measure(relative(x, found, bits))) <= least * (1.1 if criterion == "median" else 1.01)


def test_most_channels_gain_at_two_bits():
    """docs/TRAINING.md: a few channels of large values decide the squared error."""
    x = uneven()
    square, mean = (float(best_step(x, 0, 3, criterion=c)) for c in ("square", "mean"))
    before, after = relative(x, square, 2), relative(x, mean, 2)
    assert mean < 0.5 * square and float(after.median()) < 0.35 * float(before.median())
    assert float((after < before).float().mean()) > 0.75
    dead = x.clone()
    dead[:, 10] = 0
    assert math.isfinite(float(best_step(dead, 0, 3, criterion="mean")))
    assert float(best_step(torch.zeros(2, 3), 0, 3, criterion="median")) > 0


def test_calibrate_by_criterion():
    x, _ = data()
    x = torch.cat([x, 20 * x], 1)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))
    steps = {}
    for criterion in (None, "square", "mean", "median", "trimmed"):
        net = qat.prepare(model, inputs=qat.LSQ(2), activations=qat.LSQ(4))
        qat.calibrate(net, [x], criterion)
        steps[criterion] = net.get_submodule("input_q").export()[1]
    own = qat.prepare(model, inputs=qat.LSQ(2, criterion="mean"))
    qat.calibrate(own, [x])
    assert own.get_submodule("input_q").export()[1] == steps["mean"] < 0.5 * steps["square"]
    assert steps[None] == steps["square"]
    refused("E107", lambda: qat.calibrate(net, [x], "max"), "criterion")
    refused("E107", lambda: qat.LSQ(2, criterion="max"), "criterion")
    for call in (lambda: qat.ChannelError(net, -1.0), lambda: qat.ChannelError(net, criterion="square"),
                 lambda: qat.ChannelError(model)):  # fmt: skip
        refused("E107", call, "ChannelError")


def test_the_channel_error_of_a_batch_and_its_gradient():
    x, y = data()
    net = qat.prepare(cnn(), activations=qat.LSQ(2))
    net.train()(x)
    loss = qat.ChannelError(net, mu=0.5)
    plain = copy.deepcopy(net)
    for m in plain.modules():
        m._forward_hooks.clear()
    total = loss(net(x), y, x)
    base = F.cross_entropy(plain(x), y)
    assert loss.errors == [] and bool(total > base)
    total.backward()
    base.backward()
    for (name, p), q in zip(net.named_parameters(), plain.parameters(), strict=True):
        assert torch.allclose(p.grad, q.grad, rtol=1e-4, atol=1e-7) == (not name.endswith("gain")), name
    # the quantiser of the input: loss term and LSQ gradient, by hand
    q = net.get_submodule("input_q")
    step, top = q.export()[1], 255
    v = x / step
    slope = torch.where((v >= 0) & (v <= top), v.add(0.5).floor() - v, v.add(0.5).floor().clamp(0, top))
    error = x - step * v.add(0.5).floor().clamp(0, top)
    by_step = float((-2 * error / x.numel() / x.square().mean() * slope).sum()) / (x.numel() * top) ** 0.5
    other = plain.get_submodule("input_q").gain.grad
    assert float((q.gain.grad - other).detach()) == pytest.approx(0.5 * by_step / step, rel=1e-3)
    with torch.no_grad():
        net(x)
    assert loss.errors == []


def test_training_with_the_channel_error_lowers_it():
    x, y = data()
    x = torch.cat([x, 20 * x], 1)
    found = []
    for mu in (0.0, 100.0):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))
        net = qat.prepare(model, inputs=qat.LSQ(2)).train()
        loss = qat.ChannelError(net, mu)
        sgd = torch.optim.Adam(net.parameters(), lr=0.03)
        for _ in range(60):
            sgd.zero_grad()
            loss(net(x), y, x).backward()
            sgd.step()
        step = net.get_submodule("input_q").export()[1]
        rows = x.transpose(0, 1).flatten(1)
        found.append(float(channel_errors(rows, (rows / step).add(0.5).floor().clamp(0, 3) * step).mean()))
    assert found[1] < 0.9 * found[0]


# Baselines and relatives


def test_ttq_by_hand():
    w = torch.tensor([[1.0, -0.5, 0.04], [-0.05, 0.3, -0.1]], requires_grad=True)
    q = qat.TTQ(tied=False).quantizer(w.detach())
    assert q.levels.tolist() == pytest.approx([0.65, 0.3])  # over 0.05: 1, 0.3; under -0.05: 0.5, 0.1
    up = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    out = q(w)
    torch.testing.assert_close(out.detach(), torch.tensor([[0.65, -0.3, 0.0], [0.0, 0.65, -0.3]]))
    out.backward(up)
    torch.testing.assert_close(w.grad, up * torch.tensor([[0.65, 0.3, 1.0], [1.0, 0.65, 0.3]]))
    assert q.levels.grad.tolist() == pytest.approx([1 + 5, -2 - 6])
    tied = qat.TTQ().quantizer(w.detach())
    tied(w).backward(up)
    assert tied.levels.grad.tolist() == pytest.approx([1 + 5 - 2 - 6])


def test_ttq_with_two_levels_is_not_exported():
    x, y = data()
    net = qat.prepare(cnn(), weights=qat.TTQ(tied=False), keep=["0"])
    qat.fit(net, (x, y), epochs=1, progress=False)
    assert 0 < qat.density(net) < 1
    refused("E104", lambda: qat.save(net, x[:4], "never"), "one scale", "tied=True")
    for _, _, q in quantized_layers(net):
        if q.ternary:
            q.levels.data.fill_(0.25)
    agree(net.eval(), x)


def test_learned_step_by_hand():
    w = torch.tensor([[0.1, -0.4, 0.9, -2.0]], dtype=torch.float64, requires_grad=True)
    q = qat.LearnedStep().quantizer(w.detach())
    assert q.initial.item() == pytest.approx(2 * 3.4 / 4)
    q.initial.fill_(0.8)
    out = q(w)
    assert out.tolist() == [[0, 0, 0.8, -0.8]]  # -0.4 is a tie
    up = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    out.backward(up)
    assert w.grad.tolist() == [[1, 2, 0, 0]]
    by_step = (1 * (0 - 0.125) + 2 * (0 + 0.5) + 3 * 1 + 4 * -1) / 4**0.5
    assert q.gain.grad.item() == pytest.approx(by_step / 0.8)


def test_absmean_by_hand():
    w = torch.tensor([[0.5, -1.5], [4.0, 2.0]])
    codes, scale = qat.AbsMean().quantizer(w).export(w)
    assert codes.tolist() == [[0, -1], [1, 1]] and scale.tolist() == [2, 2]  # from 1 on
    codes, scale = qat.AbsMean(per="channel").quantizer(w).export(w)
    assert codes.tolist() == [[0, -1], [1, 1]] and scale.tolist() == [1, 3]


def test_slb_levels_do_not_learn():
    w = torch.randn(4, 50)
    q = qat.SLB(initial="normal").quantizer(w).train()
    latent = originals(q, w)
    assert [float(t.detach().std()) for t in latent] == pytest.approx([(2 / 50) ** 0.5] * 3, rel=0.15)
    q(*latent).sum().backward()
    assert q.level.grad is None and all(t.grad.any() for t in latent)
    codes, scale = q.export(*latent)
    assert len(set(scale.tolist())) == 1
    assert torch.equal(codes, torch.stack(latent).argmax(0).to(torch.int8) - 1)


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.4])
def test_the_entropy_assignment_is_the_least_of_its_levels(strength):
    w = torch.randn(5, 400, dtype=torch.float64)
    q = qat.EntropyTernary(strength).quantizer(w)
    codes, scale = q.export(w)
    k = rice_bits(codes.numpy())[1]
    for _ in range(5):  # parameter and assignment settle
        q._look(w)
    codes, scale = q.export(w)
    k = rice_bits(codes.numpy())[1]
    assert float(q.price) == pytest.approx(k + 2 - 2.0**-k)
    price = strength * w.square().mean(1, keepdim=True)
    for _ in range(30):  # the level settles
        costs = torch.stack([(w - c * scale[:, None]).square() + price * (k + 2 if c else 2.0**-k) for c in (-1, 0, 1)])
        best = costs.argmin(0) - 1
        scale = (w * best).sum(1) / best.abs().sum(1)
    assert (best != codes).float().mean() < 0.02


def test_stronger_entropy_means_fewer_bits():
    bits = []
    for strength in (0.0, 0.5, 2.0):
        torch.manual_seed(0)
        net = qat.prepare(cnn(), weights=qat.EntropyTernary(strength), keep=["0"])
        train(net, range(40), 40, torch.optim.Adam(net.parameters(), lr=1e-2))
        bits.append(sum(rice_bits(c.numpy())[0] for p, c in codes_of(net).items() if p != "0"))
    assert bits[0] > 1.05 * bits[1] > 1.05 * 1.3 * bits[2]


@pytest.mark.parametrize(
    "make",
    [
        lambda: qat.TTQ(threshold=1.0), lambda: qat.TTQ(threshold=-0.1), lambda: qat.LearnedStep(per="row"),
        lambda: qat.AbsMean(per="row"), lambda: qat.SLB(initial="zero"), lambda: qat.SLB(hard=0.5),
        lambda: qat.EntropyTernary(-1.0), lambda: qat.EntropyTernary(ramp=2.0), lambda: qat.EntropyTernary(every=0),
    ],
)  # fmt: skip
def test_bad_options_of_the_others(make):
    refused("E107", make)


def test_noise_quantises_a_share_that_grows():
    model = nn.Sequential(nn.Linear(300, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 300))
    net = qat.prepare(model, weights=qat.QuantNoise(qat.TWN(), p=0.2, final=0.6, seed=3), keep=[]).train()
    layer, raw = net.get_submodule("0"), model[0].weight
    for f, want in ((0.0, 0.2), (0.5, 0.4), (1.0, 0.6)):
        qat.step(net, f)
        first, second = layer.weight, layer.weight
        quantised = first != raw
        assert float(quantised.float().mean()) == pytest.approx(want, abs=0.02)
        assert not torch.equal(first, second)
        codes, scale = quantizer_of(layer).export(raw)
        torch.testing.assert_close(first[quantised].double(), (codes * scale[:, None])[quantised], rtol=1e-6, atol=0)
    assert quantizer_of(net.get_submodule("2")).spec.seed != quantizer_of(layer).spec.seed
    other = qat.prepare(model, weights=qat.QuantNoise(qat.TWN(), p=0.2, final=0.6, seed=3), keep=[]).train()
    torch.manual_seed(77)  # nothing is drawn from the global generator
    qat.step(other, 0.0)
    draws = [other.get_submodule("0").weight for _ in range(6)]
    qat.step(other, 1.0)
    assert not torch.equal(draws[-1], first)
    assert torch.equal(net.eval().get_submodule("0").weight, qat.TWN().quantizer(raw)(raw))


def test_noise_needs_real_weights_and_sensible_shares():
    refused("E107", lambda: qat.QuantNoise(qat.DirectQuantization()).quantizer(torch.randn(2, 3)), "no real weights")
    for call in (lambda: qat.QuantNoise(qat.TWN(), p=1.5), lambda: qat.QuantNoise(qat.TWN(), final=-0.1),
                 lambda: qat.QuantNoise("twn"), lambda: qat.QuantNoise(qat.QuantNoise(qat.TWN()))):  # fmt: skip
        refused("E107", call, "QuantNoise")


def test_distillation_by_hand():
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Dropout(0.9))
    x, y = data()
    logits = torch.randn(len(x), 4, requires_grad=True)
    loss = qat.distillation(teacher, alpha=0.3, temperature=2.0)
    p, q = (torch.softmax(z.detach().double() / 2, 1) for z in (teacher(x), logits))
    want = 0.7 * F.cross_entropy(logits, y).detach() + 0.3 * 4 * (p * (p / q).log()).sum(1).mean()
    found = loss(logits, y, x)
    assert float(found.detach()) == pytest.approx(float(want), rel=1e-5)
    found.backward()
    assert logits.grad.any() and teacher[1].weight.grad is None
    assert float(qat.distillation(teacher, 1.0)(teacher(x), y, x).detach()) == pytest.approx(0, abs=1e-6)
    for call in (lambda: qat.distillation(teacher, 1.5), lambda: qat.distillation(teacher, 0.5, 0.0),
                 lambda: qat.distillation("net"), lambda: loss(logits[:, :3], y, x)):  # fmt: skip
        refused("E107", call, "distillation")


# GPFQ


def test_gpfq_is_its_recurrence():
    """Against the recurrence written out in plain Python."""
    w, x = torch.randn(3, 7).double(), torch.randn(11, 7).double()
    xq = x + 0.1 * torch.randn(11, 7)
    xq[:, 4] = 0
    delta = torch.tensor([[0.7], [0.9], [1.3]]).double()
    for sparsity in (0.0, 0.3):
        want = []
        for row, d in zip(w.tolist(), delta.flatten().tolist(), strict=True):
            u, codes = [0.0] * 11, []
            for t in range(7):
                a, b = x[:, t].tolist(), xq[:, t].tolist()
                u = [v + row[t] * i for v, i in zip(u, a, strict=True)]
                energy = sum(i * i for i in b)
                arg = sum(v * i for v, i in zip(u, b, strict=True)) / energy if energy else 0.0
                code = (abs(arg) > (0.5 + sparsity) * d) * math.copysign(1, arg)
                u = [v - d * code * i for v, i in zip(u, b, strict=True)]
                codes.append(code)
            want.append(codes)
        assert walk(w, x, xq, delta, sparsity).tolist() == want


@pytest.mark.parametrize(
    "layer, shape",
    [
        (nn.Linear(6, 4), (5, 6)),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), (2, 4, 9, 7)),
        (nn.Conv2d(3, 2, (3, 5), padding="same"), (2, 3, 5, 6)),
        (nn.Conv2d(3, 2, 2, padding="valid"), (2, 3, 5, 6)),
        (nn.Conv1d(4, 4, 5, stride=2, padding=3), (3, 4, 12)),
    ],
    ids=str,
)
def test_unfolded_inputs_give_the_layers_outputs(layer, shape):
    x = torch.randn(shape)
    columns = unfolded(layer, x)
    groups = columns.shape[1]
    parts = [columns[:, g] @ w.flatten(1).T for g, w in enumerate(layer.weight.chunk(groups))]
    out = torch.cat(parts, 1) + layer.bias
    want = layer(x)
    want = want if want.dim() == 2 else want.flatten(2).transpose(1, 2).reshape(-1, want.shape[1])
    torch.testing.assert_close(out, want)


def test_gpfq_beats_rounding_without_training():
    x, y = data(400)
    x = (x + 0.3 * torch.randn(x.shape)).clamp(min=0)
    model = cnn()
    qat.fit(model, (x, y), epochs=4, lr=5e-3, batch_size=32, progress=False)
    model.eval()
    before = copy.deepcopy(model.state_dict())
    net = qat.gpfq(model, x.split(100), keep=[])
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items()) and not model.training
    twn = qat.prepare(model, weights=qat.TWN(), keep=[])
    qat.recalibrate_bn(twn, x.split(100))
    qat.calibrate(twn, x.split(100))
    with torch.no_grad():
        want = model(x)
        errors = [float((m.eval()(x) - want).square().mean() / want.var()) for m in (net, twn)]
    assert errors[0] < 0.75 * errors[1]
    agree(net, x)
    assert all(set(c.unique().tolist()) <= {-1, 0, 1} for c in codes_of(net).values())
    sparse = qat.gpfq(model, x.split(100), keep=[], sparsity=0.3)
    assert qat.density(sparse) < qat.density(net)


def test_gpfq_refuses_what_it_cannot_use():
    x, _ = data()
    refused("E107", lambda: qat.gpfq(cnn(), []), "no batches")
    for options in ({"delta": 0.0}, {"sparsity": -1.0}, {"patches": 0}):
        refused("E107", lambda options=options: qat.gpfq(cnn(), [x], **options), "gpfq")


# Sensitivity and allocation


def trained() -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    x, y = data(200)
    x = (x + 0.3 * torch.randn(x.shape)).clamp(min=0)
    model = cnn()
    qat.fit(model, (x, y), epochs=3, lr=5e-3, batch_size=32, progress=False)
    return model.eval(), (x, y)


def test_sensitivity_of_one_layer_is_the_loss_with_only_that_layer_quantised():
    model, (x, y) = trained()
    before = copy.deepcopy(model.state_dict())
    found = qat.sensitivity(model, (x, y), [qat.TWN(), qat.Int8()], beta=0.5)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert list(found) == ["0", "4", "9"]
    assert found["4"].bytes == (-(-864 // 5), 864) and found["9"].rice[1] == 192
    codes, scale = qat.TWN().quantizer(model[9].weight).export(model[9].weight)
    assert found["9"].rice[0] == math.ceil(rice_bits(codes.numpy())[0] / 8)
    w = (codes * scale[:, None]).float()
    raw = model[9].weight.detach()
    assert found["9"].error[0] == pytest.approx(float((w - raw).square().sum() / raw.square().sum()), rel=1e-4)

    def loss(net):
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
                m.momentum, m.training = None, True
        with torch.no_grad():
            net(x)
            return float(F.cross_entropy(net.eval()(x), y))

    changed = copy.deepcopy(model)
    changed[9].weight.data.copy_(w)
    assert found["9"].increase[0] == pytest.approx(loss(changed) - loss(copy.deepcopy(model)), abs=1e-4)
    assert all(abs(s.increase[1]) < 0.02 and s.error[1] < 1e-3 for s in found.values())
    with torch.no_grad():
        a = model[0](x)
        b = model[4](model[:4](x))
        c = model(x)
    pairs = [linear_cka(a, b), linear_cka(a, c), linear_cka(b, c)]
    assert found["0"].orthogonality == pytest.approx(math.exp(-0.5 * (pairs[0] + pairs[1])), rel=0.02)


def test_linear_cka_by_its_formula():
    a, b = torch.randn(20, 5).double(), torch.randn(20, 3, 2).double()
    ca, cb = a - a.mean(0), b.flatten(1) - b.flatten(1).mean(0)
    want = (cb.T @ ca).norm() ** 2 / ((ca.T @ ca).norm() * (cb.T @ cb).norm())
    assert linear_cka(a, b) == pytest.approx(float(want))
    turned = torch.linalg.qr(torch.randn(5, 5).double())[0]
    assert linear_cka(a, 3 * a @ turned + 1) == pytest.approx(1)
    assert linear_cka(a, torch.ones(20, 2)) == 0


@pytest.mark.parametrize("measure", ["loss", "orthogonality"])
def test_the_allocation_is_the_best_that_fits(measure):
    model, some = trained()
    options = (qat.TWN(), qat.Int8(), qat.PruningTernary(density=0.2))
    found = qat.sensitivity(model, some, options)
    for budget in (230, 400, 700, 1000, 1200):
        for rice in (False, True):
            got = qat.allocate(model, budget, some, options, measure, rice)
            cost = {}
            for pick in itertools.product(range(3), repeat=3):
                sizes = [
                    min(s.bytes[j], s.rice[j]) if rice else s.bytes[j]
                    for s, j in zip(found.values(), pick, strict=True)
                ]
                if sum(sizes) <= budget:
                    cost[pick] = sum(s.increase[j] if measure == "loss" else s.orthogonality * s.error[j]
                                     for s, j in zip(found.values(), pick, strict=True))  # fmt: skip
            mine = tuple(options.index(got[p]) for p in found)
            assert cost[mine] <= min(cost.values()) + 1e-8
    net = qat.prepare(model, keep=got)
    assert {p: q.ternary for p, _, q in quantized_layers(net)} == {p: s != qat.Int8() for p, s in got.items()}


def test_a_budget_that_cannot_be_met_names_the_least():
    model, some = trained()
    least = 15 + 173 + 39
    refused("E107", lambda: qat.allocate(model, least - 1, some), str(least))
    assert set(qat.allocate(model, least, some).values()) == {qat.TWN()}
    kept = qat.allocate(model, 5000, some, [qat.TWN()], keep={"0": qat.Int8()})
    assert kept == {"0": qat.Int8(), "4": qat.TWN(), "9": qat.TWN()}
    refused("E107", lambda: qat.allocate(model, 5000.0, some), "flash_budget")
    refused("E107", lambda: qat.allocate(model, 5000, some, measure="size"), "measure")
    refused("E107", lambda: qat.allocate(model, 5000, some, keep={"7": qat.Int8()}), "'7'")
    refused("E107", lambda: qat.sensitivity(model, (some[0], some[1][:3])), "labels")
    refused("E107", lambda: qat.sensitivity(model, some, []), "weights")


# Reinitialisation


def test_reinitialised_rows_lie_nearer_to_their_ternary_ones():
    model = cnn()
    before = model[4].weight.detach().clone()
    found = []
    for blend in (0.0, 0.5, 1.0):
        made = qat.reinitialize(model, 0.4, blend)
        w = made[4].weight.detach()
        assert int((w != 0).sum()) == round(0.4 * 864) and not w[before.sign() * w < 0].any()
        torch.testing.assert_close(w.flatten(1).norm(dim=1), before.flatten(1).norm(dim=1))
        assert all(torch.equal(made[i].weight, model[i].weight) for i in (0, 9))
        net = qat.prepare(made, weights=qat.PruningTernary(density=0.4))
        found.append(qat.discrepancy(net)["4"])
    assert torch.equal(model[4].weight, before)
    cos = 1 - found[0] / 2  # per row: the angle is halved, on average over the rows nearly so
    assert found[1] == pytest.approx(2 - 2 * ((1 + cos) / 2) ** 0.5, rel=0.02) and found[2] == pytest.approx(
        0, abs=1e-6
    )
    assert all(m.weight.any() for m in (qat.reinitialize(model, keep=[])[i] for i in (0, 4, 9)))
    for call in (lambda: qat.reinitialize(model, 1.0), lambda: qat.reinitialize(model, 0.5, 2.0),
                 lambda: qat.reinitialize(model, keep=["8"])):  # fmt: skip
        refused("E107", call, "reinitialize")


# Firmware


def test_firmware_of_a_network_with_many_quantisers(tmp_path):
    x, y = data()
    specs = [s for n, s in SPECS.items() if n not in ("slb normal", "noise pruning")]
    layers: list[nn.Module] = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()]
    for _ in specs:
        layers += [nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4))
    net = qat.prepare(model, keep=dict(zip([str(2 + 3 * i) for i in range(len(specs))], specs, strict=True)))
    qat.fit(net, (x, y), epochs=4, lr=5e-3, batch_size=32, progress=False)
    assert len({type(q) for _, _, q in quantized_layers(net)}) >= 9
    artifact = mcugen.compile(net.eval(), x, target="cortex-m4", name="many")
    artifact.save(tmp_path / "many")
    verdict = validate.validate(tmp_path / "many", artifact, "host", artifact.archive.samples[0][:16])
    assert verdict.passed, validate.text(verdict)
