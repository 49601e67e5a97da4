"""The other papers' experiments in seconds, as a reader repeats them: the command, its page, and its tables."""

import re

import pytest

from colorcli.cli import main
from colorcli.plugin.registry import Registry
from tests.training.photographs import picture

TINY = """
[scales.tiny]
summary = "seconds"
input_size = 32
network = {network}
limit = 3
judge = "lite2"

[scales.tiny.training]
epochs = {epochs}
batch_size = 8
sizes = [[0.0, 32]]
split = [60, 20, 20]
survey = 8
workers = 0
"""
ON_THE_CPU = ("--scale", "tiny", "--device", "cpu", "--precision", "fp32", "--offline")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Twenty cats, as Dogs vs. Cats names them, and a few dogs."""
    folder = tmp_path_factory.mktemp("data") / "photographs"
    folder.mkdir()
    for seed in range(24):
        kind = "cat" if seed < 20 else "dog"
        picture(seed, 40, 32).save(folder / f"{kind}.{seed}.jpg", quality=90)
    return folder


def repeat(name, folder, photographs, capsys, runs=(), *, network, epochs=1):
    """Run a built-in experiment in seconds, with all or some of its runs, and return the sections of page.md."""
    text = Registry().experiments()[name].read_text(encoding="utf-8")
    text = re.sub(r"(?m)^scales = .*\n", "", text)
    if runs:
        text = re.sub(
            r'(?m)^\[\[runs\]\]\nname = "(.*)"$',
            lambda found: found[0] if found[1] in runs else f'{found[0]}\nscales = ["full"]',
            text,
        )
    path = folder / f"{name}.toml"
    path.write_text(text + TINY.format(network=network, epochs=epochs), encoding="utf-8")
    mine = folder / "mine.md"
    mine.write_text(f"Before.\n\n<!-- {name}: written by colorcli paper -->\n<!-- end of {name} -->\n\nAfter.\n")
    command = ["paper", str(path), str(photographs), "-o", str(folder / "out"), "--into", str(mine), *ON_THE_CPU]
    assert main(command) == 0
    assert capsys.readouterr().out.split() == [str(folder / "out" / page) for page in ("page.html", "page.md")]
    assert re.fullmatch(r"(?s)Before\..*#### .*\|.*#### All metrics.*After\.\n", mine.read_text(encoding="utf-8"))
    page = (folder / "out" / "page.md").read_text(encoding="utf-8")
    for file in re.findall(r"\]\((figures/.*)\)", page):
        assert (folder / "out" / file).is_file()
    first, *others = page.split("\n## ")
    return {"": first} | {part.partition("\n")[0]: part.partition("\n")[2] for part in others}


def cells(section):
    """The cells of a section's table by the name of the row, the heading's under an empty name."""
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line] for line in lines]
    assert len({len(row) for row in rows[1:]}) == 1
    return {row[0]: row[1:] for row in rows[2:]}


def measured(cell):
    """The figure in a cell, which has an interval around it."""
    value, low, high = map(float, re.fullmatch(r"([\d.]+) \(([\d.]+) to ([\d.]+)\)", cell).groups())
    assert low <= value <= high
    return value


@pytest.mark.paper("all", "one command that ends in the tables and figures")
@pytest.mark.paper("liege", "cats only, and figures 2 to 4")
def test_liege_learns_from_cats_alone_and_shows_those_of_training_and_test(tmp_path, photographs, capsys):
    page = repeat("liege", tmp_path, photographs, capsys, network="{ widths = [2, 2, 4, 4, 2, 2] }")
    assert "- Photographs here: 12 for training; 3 of the test split for the figures" in page[""]
    for figure in ("Figure 2. Training loss", "Figure 3. Cats of the training set", "Figure 4. Cats of the test set"):
        assert "](figures/" in page[figure]
    table = cells(page["What the paper does not print"])
    assert list(table) == ["AuC rebalanced %", "L1 ab", "colorfulness", "recognized as the original %"]
    assert all(measured(cell) >= 0 for row in table.values() for cell in row)


@pytest.mark.paper("rome", "early-stopped against last epoch")
@pytest.mark.paper("rome", "without weighting")
@pytest.mark.paper("rome", "class and confidence of every version")
def test_rome_compares_temperatures_stopping_and_weighting_and_recognizes_every_version(tmp_path, photographs, capsys):
    page = repeat("rome", tmp_path, photographs, capsys, network="{ widths = [2, 2, 4, 4] }", epochs=2)
    stopping = cells(page["Section 6. Early-stopped against last epoch"])
    assert stopping["Epoch, early-stopped"][0] == "13"
    assert stopping["Epoch, early-stopped"][1] in {"1", "2"}
    assert stopping["Epoch, last"][2:] == ["47", "2"]
    assert [measured(cell) > 0 for cell in stopping["L1 ab"][1::2]] == [True, True]
    weighting = cells(page["Section 5. With and without weighting"])
    assert [measured(cell) > 0 for cell in weighting["colorfulness"]] == [True, True]
    recognized = page["Table 1 and tests 2 to 4. Class and confidence of each version"].splitlines()
    versions = [line.split(" | ")[1] for line in recognized if line.startswith("| cat.")]
    assert versions == ["ORIGINAL", "t=0.09", "t=0", "BW IMG"] * 3
    assert "| paper: figure 3 | BW IMG | basset | 0.9768 |" in recognized
    assert "](figures/" in page["Figure 4. Temperatures"]


@pytest.mark.paper("georgia-tech", "does a better extractor matter")
@pytest.mark.paper("georgia-tech", "figure 6: gray, the models, and the truth")
def test_georgia_tech_asks_what_an_extractor_contributes(tmp_path, photographs, capsys):
    runs = ("lite0", "none")
    page = repeat("georgia-tech", tmp_path, photographs, capsys, runs, network="{ width = 0.05, norm = true }")
    question = cells(page["The paper's question with EfficientNet-Lite, last epoch"])
    assert float(question["Validation: loss"][0]) > 0
    assert question["Validation: loss"][1:3] == ["-", "-"], "runs of another scale"
    assert measured(question["L1 ab"][3]) > 0
    embedding = cells(page["What the embedding contributes at test time"])
    assert len({measured(cell) for cell in embedding["L1 ab"]}) == 3, "own, zeroed and shuffled"
    assert "Pictures in gray, by Lite0, none, and originals" in page["The same with EfficientNet-Lite"]


@pytest.mark.paper("utrecht", "each gray judged on itself")
@pytest.mark.paper("utrecht", "RGB shown as RGB")
def test_utrecht_shows_rgb_from_each_kind_of_gray(tmp_path, photographs, capsys):
    runs = ("lab", "rgb-luminance", "rgb-hsl")
    network = "{ width = 0.05, global_size = 32, norm = true }"
    page = repeat("utrecht", tmp_path, photographs, capsys, runs, network=network)
    grays = cells(page["Figure 3 in figures: RGB from eight kinds of gray"])
    kinds = ("luminance", "lightness", "luma601", "luma709", "average", "hsl", "value", "orthochromatic")
    assert dict(zip(kinds, (cell != "-" for cell in grays["L1 ab"]), strict=True)) == {
        kind: kind in {"luminance", "hsl"} for kind in kinds
    }
    assert measured(cells(page["Figures 4 to 8 in figures: Lab"])["PSNR dB"][0]) > 0
    assert "RGB from luminance, RGB from hsl, and originals" in page["Figure 3. RGB from several kinds of gray"]
