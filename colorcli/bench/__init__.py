"""Speed of a model on this machine, stage by stage: `colorcli bench`.

Each setting is measured in its own process (`measure.py`), so that its cold start and peak memory are known. The
processes take turns (`rounds.py`), so that other load on the machine affects all of them alike.
"""
