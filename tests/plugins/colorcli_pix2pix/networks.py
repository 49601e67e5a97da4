"""Small networks with weights that are random and alive: as published ones, and unlike untrained ones, they differ."""

import torch
from torch import Tensor, nn

from colorcli_pix2pix.network import Ensemble

SMALL = {"width": 2, "levels": 5}
SMALL_ENSEMBLE = {"kind": "ensemble", **SMALL, "router_width": 4, "router_size": 32}


def enliven(network: nn.Module, seed: int = 0) -> nn.Module:
    """Set weights that preserve the size of the signal, and batch norm statistics as if from data."""
    chance = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            inputs = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.weight[:, 0].numel() / 4
            nn.init.normal_(module.weight, std=(2 / inputs) ** 0.5, generator=chance)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1, generator=chance)
            nn.init.uniform_(module.running_var, 0.5, 1.5, generator=chance)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=chance)
            nn.init.normal_(module.bias, std=0.1, generator=chance)
    return network.eval()


def pictures(count: int = 6, side: int = 32) -> Tensor:
    """Lightness (B, 1, side, side): patches of gray, different in each picture."""
    patches = torch.rand(count, 1, side // 8, side // 8, generator=torch.Generator().manual_seed(7)) * 100
    return patches.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)


def ensemble_that_takes(lightness: Tensor, categories: list[int], **hyperparameters) -> Ensemble:
    """A small ensemble whose router, by the weights of its last layer, assigns these categories to these pictures."""
    arguments = {key: value for key, value in SMALL_ENSEMBLE.items() if key != "kind"}
    network = Ensemble(**{**arguments, **hyperparameters})
    enliven(network.router)
    for seed, generator in enumerate(network.generators.values()):
        enliven(generator, seed)
    with torch.no_grad():
        features = network.router.features(lightness)
        wanted = torch.nn.functional.one_hot(torch.tensor(categories), 6) * 3.0
        solution = torch.linalg.pinv(torch.cat([features, torch.ones(len(features), 1)], dim=1)) @ wanted
        network.router.fc.weight.copy_(solution[:-1].T)
        network.router.fc.bias.copy_(solution[-1])
    return network.eval()
