"""The weight quantisers against closed forms, in training, and through the front end."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from test_frontend_torch import agree  # noqa: E402
from torch import nn  # noqa: E402

from mcugen import qat  # noqa: E402
from mcugen.errors import ModelError  # noqa: E402
from mcugen.frontends.torch import latent_of  # noqa: E402
from mcugen.qat.quantizers.pruning import PruningQuantizer, select  # noqa: E402
from mcugen.qat.weights import quantized_layers  # noqa: E402


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
    model = cnn()
    qat.fit(model, (x, y), epochs=4, lr=1e-2, batch_size=32, progress=False)
    net = qat.prepare(model, weights=SPECS[name], keep=[])
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

    for at in (5, 37, 56):
        a, adam = fresh()
        train(a, range(at), 60, adam)
        qat.save_checkpoint(tmp_path / "c.pt", a, adam)
        train(a, range(at, 60), 60, adam)
        b, adam = fresh()
        qat.load_checkpoint(tmp_path / "c.pt", b, adam)
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
    assert select(w, 0.5, "layer", "").int().tolist() == [[1, 1, 0, 1], [0, 0, 1, 0]]
    assert select(w, 0.5, "channel", "").int().tolist() == [[1, 0, 0, 1], [1, 0, 1, 0]]
    assert select(torch.ones(3, 4), 0.51, "layer", "").int().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]


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
    take = PruningQuantizer._take
    monkeypatch.setattr(PruningQuantizer, "_take", lambda q, w, kept: (taken.append(step[0]), take(q, w, kept)))
    step = [-1]
    net = qat.prepare(cnn(), weights=qat.PruningTernary(ramp=0.5, ternary=0.2, freeze=0.9), keep=["0", "9"])
    taken.clear()
    for step[0] in range(100):
        qat.step(net, step[0] / 100)
    assert taken == [0, 16, 20, 32, 48, 50, 64, 80, 90]


def test_before_ternary_rows_are_pruned_and_of_unit_norm():
    w = torch.randn(6, 40)
    q = qat.PruningTernary(density=0.5).quantizer(w).train()
    q.progress.fill_(0.1)
    kept = q.support != 0
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
    assert torch.equal(gradient(decay="none")[0], up)
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
    assert torch.equal(codes_of(net)["4"] != 0, select(largest, 0.5, "layer", ""))


def test_copies_and_other_processes_see_the_same_support():
    """Nothing random and nothing that is not in the state: what distributed training needs."""
    a = qat.prepare(cnn(), weights=qat.PruningTernary(scope="global"), keep=[])
    b = copy.deepcopy(a)
    torch.manual_seed(99)
    for net in (a, b):
        for i in range(40):
            qat.step(net, i / 40)
    assert all(torch.equal(v, w) for v, w in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
