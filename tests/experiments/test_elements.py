"""Each element of a paper that its authors would look for has a test that names it: `pytest -m paper` runs them."""

import ast
from collections import defaultdict

from tests.documentation import ROOT

ELEMENTS = {
    "all": [
        "several runs in one table, sheet or survey",
        "the run's own test split",
        "one command that ends in the tables and figures",
        "gamut and prior of the whole training set",
        "the label of an output pixel",
        "flip",
        "keep_gray",
    ],
    "liege": [
        "conv7 has 256 channels, conv8 128",
        "trained and run at 224",
        "cats only, and figures 2 to 4",
    ],
    "rome": [
        "114 classes",
        "a class has the mean RGB of its cell",
        "16,000, 3,000 and 6,000 photographs",
        "without weighting",
        "class and confidence of every version",
        "early-stopped against last epoch",
    ],
    "georgia-tech": [
        "cross-entropy on continuous ab",
        "does a better extractor matter",
        "figure 6: gray, the models, and the truth",
    ],
    "utrecht": [
        "Iizuka's published network",
        "RGB shown as RGB",
        "each gray judged on itself",
    ],
    "edinburgh": [
        "the last epoch after early stopping",
        "the Y of YUV is the picture's own",
        "dropout as noise at test time",
        "tables 1 to 3",
        "table 6",
        "table 4: L1 in the generator's space",
        "stopping on the adversarial loss",
        "MIRFLICKR in six categories",
        "chi-squares",
        "GL and P_k of a curve computed by hand",
        "killed at three moments, the same page",
    ],
}


def test_every_element_is_named_by_a_test():
    named = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if "mark.paper(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                if ast.unparse(mark).startswith("pytest.mark.paper("):
                    paper, element = (argument.value for argument in mark.args)
                    named[paper].add(element)
    assert named == {paper: set(elements) for paper, elements in ELEMENTS.items()}
