"""Small scenes as the network sees them: lightness (1, h, w) and chroma (2, h, w) that move together."""

import cv2
import numpy as np

SIZE = (48, 64)


def wall(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Lightness 20..80 of soft spots, (h, w + 400): the picture can move across it."""
    noise = np.random.default_rng(seed).normal(size=(size[0], size[1] + 400)).astype(np.float32)
    spots = cv2.GaussianBlur(noise, (0, 0), 2) + 3 * cv2.GaussianBlur(noise, (0, 0), 7)
    return cv2.normalize(spots, None, 20, 80, cv2.NORM_MINMAX)


def pan(seed: int, frames: int, step: int = 1, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Lightness of a wall that moves to the left."""
    whole = wall(seed, size)
    return [whole[None, :, step * number : step * number + size[1]].copy() for number in range(frames)]


def painted(lightness: list[np.ndarray]) -> list[np.ndarray]:
    """Chroma that belongs to the wall and moves with it."""
    return [np.concatenate((picture - 50, 30 - picture / 2)) for picture in lightness]


def flat(ab: tuple[float, float], size: tuple[int, int] = SIZE) -> np.ndarray:
    """One color all over, (2, h, w)."""
    return np.broadcast_to(np.float32(ab)[:, None, None], (2, *size)).copy()


def passing_disc(frames: int, step: int = 3, size: tuple[int, int] = SIZE):
    """A red disc in front of a green wall that stays still: lightness, chroma, and where the disc is, (h, w)."""
    y, x = np.mgrid[: size[0], : size[1]]
    background, face = wall(1, size)[:, : size[1]], wall(2, size)[:, :30]
    lightness, chroma, discs = [], [], []
    for number in range(frames):
        left = 2 + step * number
        inside = (x - left - 10) ** 2 + (y - size[0] / 2) ** 2 < 10**2
        moving = face[y, np.clip(x - left, 0, face.shape[1] - 1)]
        lightness.append(np.where(inside, moving, background)[None].astype(np.float32))
        chroma.append(np.where(inside, np.float32((50, 30))[:, None, None], np.float32((-40, 20))[:, None, None]))
        discs.append(inside)
    return lightness, chroma, discs


def flickering(chroma: list[np.ndarray], strength: float = 8) -> list[np.ndarray]:
    """Chroma that is off by another color in every frame."""
    generator = np.random.default_rng(0)
    return [ab + generator.normal(0, strength, (2, 1, 1)).astype(np.float32) for ab in chroma]


def rmse(one, other) -> float:
    """The root mean square distance in ab of lists of (2, h, w)."""
    return float(np.sqrt(np.square(np.stack(one) - np.stack(other)).sum(axis=1).mean()))
