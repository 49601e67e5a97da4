"""Make the pictures of the documentation that show colors of zhang.starter, from docs/photographs/.

    python tests/benchmarks/pictures.py [hints] [samples] [compare] [serve] [serve-film]

They are written to docs/images/. `compare`, `serve` and `serve-film` need Chromium and Playwright.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parents[2]))

import colorcli
from colorcli.cli import main as run_colorcli
from tests.browser import chromium, opened

DOCS = Path(__file__).parents[2] / "docs"
PHOTOGRAPHS = DOCS / "photographs"
MODEL = "zhang.starter"
STARTERS = (MODEL, "iizuka.starter", "koalarization.starter", "pix2pix.starter")
WOMEN = "prokudin_gorskii_01043v.jpg"
HINTS = (
    *("29%,34%=#d8a088", "45%,32.5%=#d8a088", "62%,33.5%=#d8a088", "28.5%,49%=#c89078"),  # skin
    *("28%,70%=#f0a0b8@2%", "28%,45%=#304878", "44.5%,70%=#a02828@2%", "44.5%,52%=#a02828"),  # clothes
    *("62%,68%=#3a70c0", "66%,70%=#3a70c0"),
)
ON_THE_PAGE = ("buffalo_savings_bank_c1908.jpg", WOMEN, "saratoga_broadway_c1900.jpg", "migrant_mother_1936.jpg",
               "frederick_douglass_1879.jpg", "prokudin_gorskii_00172v.jpg")  # fmt: skip
SHOTS = ("saratoga_broadway_c1900.jpg", "prokudin_gorskii_00172v.jpg", "buffalo_savings_bank_c1908.jpg",
         "colorado_rocky_mountain_1941.jpg", "frederick_douglass_1879.jpg")  # fmt: skip
DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 800}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"}


def save(picture, name):
    picture.convert("RGB").save(DOCS / "images" / name, quality=85, optimize=True)
    print(DOCS / "images" / name, flush=True)


def side_by_side(pictures, gap, background="white"):
    width = sum(each.width for each in pictures) + gap * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(each.height for each in pictures)), background)
    left = 0
    for each in pictures:
        sheet.paste(each, (left, 0))
        left += each.width + gap
    return sheet


def hints():
    gray = Image.open(PHOTOGRAPHS / WOMEN).convert("L")
    model = colorcli.load(MODEL)
    given = [colorcli.Hint.parse(each, gray.size) for each in HINTS]
    colored = [model.colorize(gray), model.colorize(gray, hints=given)]
    width = 344
    panels = [each.convert("RGB").resize((width, round(width * gray.height / gray.width)), Image.Resampling.LANCZOS)
              for each in (gray, *colored)]  # fmt: skip
    large = panels[0].resize([4 * side for side in panels[0].size])  # for smooth dots
    draw = ImageDraw.Draw(large)
    for each in given:
        x, y = each.x * large.width, each.y * large.height
        for radius, color in ((19, "black"), (17, "white"), (12, each.rgb)):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    save(side_by_side([large.resize(panels[0].size, Image.Resampling.LANCZOS), *panels[1:]], 8), "hints.jpg")


def samples():
    font = ImageFont.load_default(13)
    columns, width, height = ("gray", "entropy", "sample 1", "sample 2", "sample 3", "sample 4"), 180, 150
    sheet = Image.new("RGB", (len(columns) * (width + 6) - 6, 2 * (height + 28) + 30), "#222222")
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(("prokudin_gorskii_01788v.jpg", WOMEN)):
        with tempfile.TemporaryDirectory() as folder:
            own = [f"--model={MODEL}", "--samples=4", "--explain", "-o", folder, "--quiet"]
            assert run_colorcli(["run", *own, str(PHOTOGRAPHS / name)]) == 0
            stem = Path(folder, Path(name).stem)
            files = [PHOTOGRAPHS / name, f"{stem}-entropy.png", *(f"{stem}-{number}.jpg" for number in range(1, 5))]
            for column, (label, file) in enumerate(zip(columns, files, strict=True)):
                with Image.open(file) as picture:
                    shown = picture.convert("RGB")
                shown = shown.resize((width, height), Image.Resampling.LANCZOS)
                place = column * (width + 6), row * (height + 28) + 22
                sheet.paste(shown, place)
                draw.text((place[0] + 2, place[1] - 19), label, "white", font)
    ramp = cv2.applyColorMap(np.tile(np.arange(256, dtype=np.uint8), (12, 1)), cv2.COLORMAP_INFERNO)[..., ::-1]
    bottom = sheet.height - 22
    sheet.paste(Image.fromarray(np.ascontiguousarray(ramp)).resize((360, 12)), (120, bottom))
    draw.text((2, bottom - 3), "entropy  0 bits", "white", font)
    draw.text((488, bottom - 3), "8 bits and more", "white", font)
    save(sheet, "samples.jpg")


def compare():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.html")
        assert run_colorcli(["compare", *STARTERS, str(PHOTOGRAPHS), "-o", str(path)]) == 0
        with chromium() as browser:
            with opened(browser, path.as_uri(), viewport={"width": 1200, "height": 777}) as (page, _):
                page.wait_for_timeout(2000)
                desk = shot(page, folder, "desk.png")
            with opened(browser, path.as_uri(), **{**PHONE, "viewport": {"width": 387, "height": 777}}) as (page, _):
                page.keyboard.press("ArrowRight")
                page.get_by_role("button", name="Side by side").click()
                page.wait_for_timeout(2000)
                phone = shot(page, folder, "phone.png")
    both = side_by_side([desk, phone], 13)
    save(both.resize((1200, round(1200 * both.height / both.width)), Image.Resampling.LANCZOS), "compare.jpg")


@contextlib.contextmanager
def served(*options):
    """Run `colorcli serve` and yield its address."""
    command = [sys.executable, "-m", "colorcli", "serve", f"--model={MODEL}", "--port=0", "--no-browser", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def settled(page):
    page.wait_for_timeout(300)
    page.locator("#status", has_text=re.compile(r"\d s$")).wait_for()
    page.locator('#window[aria-busy="false"]').wait_for()


def give_hint(page, x, y, color=None):
    """Click a place and choose a color, by default the most likely one."""
    box = page.locator("#window").bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.locator(".swatch").first.wait_for()
    if color is None:
        page.locator(".swatch").first.click()
    else:
        page.locator("#other").evaluate(
            """(input, color) => { input.value = color;
            for (const type of ["input", "change"]) input.dispatchEvent(new Event(type, { bubbles: true })); }""",
            color,
        )
    settled(page)


def shot(page, folder, name):
    page.screenshot(path=Path(folder, name))
    return Image.open(Path(folder, name)).convert("RGB")


def serve():
    with served() as address, chromium() as browser, tempfile.TemporaryDirectory() as folder:
        with opened(browser, address, **DESK) as (page, _):
            page.set_default_timeout(300_000)
            page.set_input_files("#files", [PHOTOGRAPHS / each for each in ON_THE_PAGE])
            page.locator(".photo img").nth(len(ON_THE_PAGE) - 1).wait_for()
            settled(page)
            give_hint(page, 0.9, 0.62, "#6a4a3a")
            page.keyboard.press("Escape")
            give_hint(page, 0.70, 0.75, "#b8a890")
            page.keyboard.press("Escape")
            give_hint(page, 0.62, 0.25, "#9ab4d8")
            page.keyboard.press("Escape")
            page.click("#show-samples")
            page.locator(".samples img").nth(5).wait_for()
            page.locator(".mark").nth(2).click()
            page.locator(".swatch").first.wait_for()
            desk = shot(page, folder, "desk.png")
        with opened(browser, address, **PHONE) as (page, _):
            page.set_default_timeout(300_000)
            page.set_input_files("#files", [PHOTOGRAPHS / each for each in ON_THE_PAGE[:2]])
            page.locator(".photo img").nth(1).wait_for()
            settled(page)
            give_hint(page, 0.7, 0.35)
            phone = shot(page, folder, "phone.png")
    save(side_by_side([desk, phone], 24), "serve.jpg")


def write_film(path):
    """Write a film of five shots, each zooming in on a photograph."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 960, 540, "yuv420p"
        stream.options = {"crf": "16"}
        for name in SHOTS:
            picture = np.asarray(Image.open(PHOTOGRAPHS / name).convert("L"))
            height, width = picture.shape
            for number in range(12):
                zoom = 1 + 0.004 * number
                own = min(width, height * 16 / 9) / zoom, min(height, width * 9 / 16) / zoom
                left, top = (width - own[0]) / 2, (height - own[1]) / 3
                crop = picture[round(top) : round(top + own[1]), round(left) : round(left + own[0])]
                gray = cv2.resize(crop, (960, 540), interpolation=cv2.INTER_AREA)
                film.mux(stream.encode(av.VideoFrame.from_ndarray(gray, "gray").reformat(format="yuv420p")))
        film.mux(stream.encode())


def serve_film():
    with tempfile.TemporaryDirectory() as folder:
        write_film(Path(folder, "1908.mp4"))
        with (
            served(f"--films={folder}") as address,
            chromium() as browser,
            opened(browser, address, **DESK) as (page, _),
        ):
            page.set_default_timeout(300_000)
            page.click("#choose-film")
            page.locator("#film-entries button").first.click()
            page.locator(".photo img").nth(len(SHOTS) - 1).wait_for()
            page.locator(".photo").nth(3).click()
            settled(page)
            page.click("#keep")
            page.locator("#keep:disabled", has_text="Kept").wait_for()
            page.locator(".photo").nth(2).click()
            settled(page)
            give_hint(page, 0.75, 0.3, "#9ab4d8")
            page.keyboard.press("Escape")
            page.click("#keep")
            page.locator("#keep:disabled", has_text="Kept").wait_for()
            page.wait_for_timeout(500)
            save(shot(page, folder, "desk.png"), "serve-film.jpg")


if __name__ == "__main__":
    makers = {"hints": hints, "samples": samples, "compare": compare, "serve": serve, "serve-film": serve_film}
    for wanted in sys.argv[1:] or makers:
        makers[wanted]()
