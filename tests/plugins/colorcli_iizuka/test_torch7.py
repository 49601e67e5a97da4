"""Utrecht's comparison: Iizuka's published file, a graph of modules that `torch.save` of Lua wrote."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from colorcli.cli import main
from colorcli.inference.loading import load
from colorcli_iizuka import Iizuka
from tests.weights.torch7_files import Module, write_torch7

SMALL = {"width": 0.125, "global_size": 64}


def seeded():
    """A small network of the published kind, whose colors are far from gray."""
    torch.manual_seed(0)
    network = Iizuka().build(**SMALL).eval()
    nn.init.normal_(network.color[-1].weight, std=0.5)
    return network


def layers(*sequences):
    """The modules of Torch7 for those of PyTorch, in order."""
    made = []
    for module in (each for sequence in sequences for each in sequence.modules()):
        if isinstance(module, nn.Conv2d):
            fields = {"kW": 3, "kH": 3, "dW": module.stride[0], "padW": 1}
            weights = {"weight": module.weight.detach(), "bias": module.bias.detach()}
            gradients = {"gradWeight": torch.zeros_like(module.weight).detach()}
            made += [
                Module("nn.SpatialConvolution", **fields, **weights, **gradients),
                Module("nn.ReLU", inplace=True),
            ]
        elif isinstance(module, nn.Linear):
            weights = {"weight": module.weight.detach(), "bias": module.bias.detach()}
            made += [Module("nn.Linear", **weights), Module("nn.ReLU", inplace=True)]
    return made


def sequential(*modules):
    return Module("nn.Sequential", modules=list(modules), train=False)


def published(network):
    """The file of the authors: nodes 4, 5, 8, 9 and 11 of the graph have the layers, and each points to the next."""
    low = sequential(*layers(network.low))
    scene = layers(network.scene)
    spread = [Module("nn.Replicate", nfeatures=28, dim=3), Module("nn.Replicate", nfeatures=28, dim=4)]
    modules = {
        4: Module("nn.MapTable", modules=[low, low]),
        5: sequential(*layers(network.mid)),
        8: sequential(*layers(network.global_), Module("nn.View", numElements=512), *scene[:-2]),
        9: sequential(*scene[-2:], *spread),
        11: sequential(*layers(network.fusion, network.color), Module("nn.Sigmoid")),
    }
    nodes = []
    for number in range(1, 12):
        module = modules.get(number, Module("nn.Identity"))
        nodes.append(Module("nngraph.Node", data={"module": module, "mapindex": []}, children=[], id=number))
    for node, following in pairwise(nodes):
        node.fields["children"].append(following)
    graph = Module("nn.gModule", forwardnodes=nodes, fg={"nodes": nodes}, output=torch.zeros(1, 2, 4, 4))
    return {"mean": 0.44505388568813414, "model": graph}


@pytest.mark.paper("utrecht", "Iizuka's published network")
def test_the_published_file_is_imported_behind_its_license_and_gives_the_same_colors(tmp_path, capsys):
    network = seeded()
    source = write_torch7(tmp_path / "colornet.t7", published(network))
    assert main(["weights", "import", str(source), "--model", "iizuka"]) == 1
    assert "colornet.t7 is licensed under CC-BY-NC-SA-4.0, which restricts its use" in capsys.readouterr().err
    assert not source.with_suffix(".safetensors").exists()

    assert main(["weights", "import", str(source), "--model", "iizuka", "--accept-license"]) == 0
    written = source.with_suffix(".safetensors")
    assert capsys.readouterr().out == f"{written}\n"
    assert 'license = "CC-BY-NC-SA-4.0"' in source.with_suffix(".toml").read_text()
    model = load("iizuka", weights=written, device="cpu", precision="fp32")
    lightness = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 100
    with torch.inference_mode():
        expected = Iizuka().predict(network, lightness)
    assert expected.abs().mean() > 5
    assert (model.predict(lightness) - expected).abs().max() < 1e-3


def test_a_torch7_file_that_was_not_imported_says_how(tmp_path, capsys):
    source = write_torch7(tmp_path / "colornet.t7", published(seeded()))
    assert main(["run", str(source), "--model", "iizuka", "--weights", str(source), "-o", str(tmp_path / "out")]) == 1
    assert "is a Torch7 file. hint: Import it first: colorcli weights import" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_torch7_file_of_another_network_is_an_error_that_names_a_layer(tmp_path, capsys):
    content = published(seeded())
    del content["model"].fields["forwardnodes"][4].fields["data"]["module"].fields["modules"][0]
    source = write_torch7(tmp_path / "other.t7", content)
    assert main(["weights", "import", str(source), "--model", "iizuka"]) == 1
    assert "the Torch7 file has no layer for mid.0.bias" in capsys.readouterr().err


@pytest.mark.parametrize("length", [4, 100, 20_000])
def test_a_torch7_file_that_was_cut_is_an_error(tmp_path, capsys, length):
    source = write_torch7(tmp_path / "cut.t7", published(seeded()))
    source.write_bytes(source.read_bytes()[:length])
    assert main(["weights", "import", str(source), "--model", "iizuka"]) == 1
    assert "cut.t7" in capsys.readouterr().err
