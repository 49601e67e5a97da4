"""A test made of squares, each of one color, and answers to it."""

import json

from PIL import Image

from colorcli.pages.sheet import PictureVersions
from colorcli.turing.answers import RESULT_FORMAT, read_key
from colorcli.turing.survey import make_survey, write_survey

MODELS = ["vivid", "pale"]
COLORS = {"original": (40, 120, 200), "vivid": (250, 20, 20), "pale": (140, 130, 120)}
FACTS = {
    "models": {"vivid": "made of red", "pale": "made of gray"},
    "max_side": 64,
    "data": "squares",
    "made_by": "colorcli 1",
    "command": "colorcli turing make vivid pale squares",
}


def rows(count, size=(90, 60)):
    """Scenes, each a photograph and a coloring by either model; the first digit of a color is the scene's number."""
    for n in range(count):
        versions = {name: Image.new("RGB", size, (r, g, b + n)) for name, (r, g, b) in COLORS.items()}
        yield PictureVersions(f"secret-{n}.jpg", {"gray": Image.new("L", size, 100), **versions})


def write_test(folder, count=12, *, models=MODELS, seconds=0.0, **settings):
    """Write a page and its key: their paths, and what is in the key."""
    survey = make_survey(rows(count), models, **{"practice": 0, "seed": 0, "max_side": 64, **settings})
    page, key = folder / "test.html", folder / "test.key.json"
    facts = {**FACTS, "models": {name: FACTS["models"][name] for name in models}}
    write_survey(survey, page, key, seconds=seconds, facts=facts)
    return page, key, read_key(key)


def result(key, participant, answers):
    """What a participant sends: answers by picture."""
    given = [{"picture": picture, "answer": answer} for picture, answer in answers.items()]
    return {"format": RESULT_FORMAT, "test": key.test, "participant": participant, "answers": given}


def save(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def answers_to(key, version, *answers):
    """Answer to one version of as many scenes as there are answers."""
    pictures = [picture for picture, shown in key.pictures.items() if shown.version == version]
    return dict(zip(pictures[: len(answers)], answers, strict=True))
