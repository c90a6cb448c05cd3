"""Raw pixels, H, W, C bytes, as the input: what the firmware makes of them is what training made of them."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import pytest

import mcugen
from mcugen import archive, cli, driver, image, interp, ir, validate
from mcugen.errors import McugenError
from mcugen.image import Image
from mcugen.ir import Array, DType, Graph
from mcugen.ops.pixels import Pixels

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from mcugen import qat  # noqa: E402
from mcugen.frontends.torch import fake_codes  # noqa: E402

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalized(pixels: Array) -> torch.Tensor:
    """As torchvision's ToTensor and Normalize."""
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (MEAN, STD))
    return x.sub_(mean).div_(std)


@pytest.fixture(scope="module")
def trained() -> tuple[torch.fx.GraphModule, Array]:
    """A network for RGB images, with padding in its first layer, after a few steps of training; and raw images."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 9, 12, 3)).astype(np.uint8)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)),
    )
    net = qat.prepare(model)
    qat.fit(net, (normalized(pixels), torch.arange(40) % 4), epochs=2, batch_size=20, progress=False)
    return net.eval(), pixels


def test_codes_are_those_of_training(trained: tuple[torch.fx.GraphModule, Array]) -> None:
    """All 256 values in each channel; not one differs from the input quantiser on the normalised image."""
    net, _ = trained
    ramp = np.stack([np.roll(np.arange(256), 85 * k) for k in range(3)], 1).reshape(1, 16, 16, 3).astype(np.uint8)
    pixels = np.resize(ramp, (6, 9, 12, 3))
    assert all(len(set(pixels[..., c].ravel())) == 256 for c in range(3))
    source = driver.load(net, normalized(pixels))
    made = image.from_pixels(source, Image(MEAN, STD))
    assert made.graph.inputs[0].type.shape == (9, 12, 3)
    codes = interp.trace(made.graph, pixels)[made.graph.nodes[0].output]
    want = fake_codes(net, normalized(pixels))["input"]
    np.testing.assert_array_equal(codes, want)
    assert made.samples[0].shape == (6, 9, 12, 3)
    np.testing.assert_array_equal(interp.trace(made.graph, made.samples[0])[made.graph.nodes[0].output], want)


@pytest.mark.parametrize("target, place", [("cortex-m4", "host"), ("cortex-m4", "qemu"), ("cortex-m0", "sanitize")])
def test_saved_compiled_and_validated(
    target: str, place: str, trained: tuple[torch.fx.GraphModule, Array], tmp_path: Path
) -> None:
    net, pixels = trained
    qat.save(net, normalized(pixels[:8]), tmp_path / "rgb.mcugen", "rgb", qat.Image(MEAN, STD))
    artifact = mcugen.compile(tmp_path / "rgb.mcugen", target=target)
    artifact.save(tmp_path / "fw")
    header = (tmp_path / "fw" / "rgb.h").read_text()
    assert "#define RGB_IN_LEN 324 /* H x W x C pixels: 9 x 12 x 3, bytes 0 .. 255 */" in header
    try:
        verdict = validate.validate(tmp_path / "fw", artifact, place, pixels)
    except McugenError as e:
        if validate.skippable(e):
            pytest.skip(str(e))
        raise
    assert verdict.passed, validate.text(verdict)

    y = artifact.run(pixels) * artifact.archive.graph.outputs[0].type.quant.scale
    with torch.no_grad():
        want = net(normalized(pixels)).numpy()
    assert (y.argmax(1) == want.argmax(1)).mean() >= 0.95
    assert 10 * np.log10(want.var() / (y - want).var()) > 30  # dB


def test_the_command_line_takes_raw_pixels(
    trained: tuple[torch.fx.GraphModule, Array], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, pixels = trained
    qat.save(net, normalized(pixels[:8]), tmp_path / "rgb.mcugen", "rgb")
    np.save(tmp_path / "x.npy", pixels)
    line = ["generate", str(tmp_path / "rgb.mcugen"), "--target", "cortex-m0", "-o", str(tmp_path / "fw")]
    numbers = ["--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD))]
    assert cli.main([*line, *numbers]) == cli.OK
    assert cli.main(["validate", str(tmp_path / "fw"), "--data", str(tmp_path / "x.npy")]) == cli.OK
    np.save(tmp_path / "x.npy", pixels[:, :-1])
    assert cli.main(["validate", str(tmp_path / "fw"), "--data", str(tmp_path / "x.npy")]) == cli.ERROR
    assert "E704" in capsys.readouterr().err
    given = archive.load(tmp_path / "fw" / "rgb.mcugen")
    want = image.from_pixels(archive.load(tmp_path / "rgb.mcugen"), Image(MEAN, STD))
    assert ir.text(given.graph) == ir.text(want.graph)
    fits = ["analyze", str(tmp_path / "rgb.mcugen"), "--all-targets", "--estimate", *numbers]
    assert cli.main(fits) == cli.OK
    for wrong in (["--mean", "0.5"], ["--mean", "0.5,x", "--std", "1"], ["--mean", "0,0", "--std", "1"]):
        assert cli.main([*line, *wrong]) == cli.ERROR
        assert "E703" in capsys.readouterr().err


def archive_of(shape: tuple[int, ...], dtype: DType = DType.U8) -> archive.Archive:
    b = graphs.Builder(np.random.default_rng(1), shape, 3, dtype)
    graph: Graph = b.graph(b.requantize(b.x))
    return archive.Archive(graph, (graphs.random_input(graph, 5, 4),))


def test_one_number_for_all_channels_makes_one_table() -> None:
    made = image.from_pixels(archive_of((3, 4, 5), DType.U4), Image(0.2, 0.3))
    (first, *_) = made.graph.nodes
    assert isinstance(first.op, Pixels) and first.inputs[1].type.shape == (1, 256)
    both = image.from_pixels(archive_of((3, 4, 5), DType.U4), Image((0.2,) * 3, (0.3,)))
    assert both.graph.nodes[0].inputs[1].type.shape == (3, 256)
    x = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(interp.run(made.graph, x)[0], interp.run(both.graph, x)[0])


@pytest.mark.parametrize(
    "shape, mean, std, message",
    [
        ((3, 4, 5), (0.1, 0.2), 1.0, "2 means and 1 standard deviations for 3 channels"),
        ((23,), 0.0, 1.0, r"0 of the inputs \(x u8\[23\]\) are images"),
        ((3, 4, 5), 0.0, 0.0, "std=0.0"),
        ((3, 4, 5), float("nan"), 1.0, "mean=nan"),
        ((3, 4, 5), "half", 1.0, "mean='half'"),
        ((3, 4, 5), (), 1.0, r"mean=\(\)"),
    ],
)
def test_unusable_images(shape: tuple[int, ...], mean: float, std: float, message: str) -> None:
    with pytest.raises(McugenError, match=f"E703.*{message}"):
        driver.compile(archive_of(shape), image=Image(mean, std))


def test_the_image_among_several_inputs() -> None:
    b = graphs.Builder(np.random.default_rng(1), (3, 4, 5), 3)
    vector = b.input((7,))
    graph = b.graph(b.requantize(b.x), b.requantize(vector))
    codes = tuple(graphs.random_input(Graph("one", (v,), (), (v,)), 5, 4) for v in graph.inputs)
    made = image.from_pixels(archive.Archive(graph, codes), Image(0.1, 0.5))
    assert [v.type.shape for v in made.graph.inputs] == [(4, 5, 3), (7,)]
    assert made.graph.inputs[1] is vector and made.samples[1] is codes[1]
    np.testing.assert_array_equal(interp.run(made.graph, *made.samples)[1], interp.run(graph, *codes)[1])


def test_pixels_are_read_once() -> None:
    made = image.from_pixels(archive_of((3, 4, 5)), Image())
    with pytest.raises(McugenError, match=r"E703.*already"):
        image.from_pixels(made, Image())
