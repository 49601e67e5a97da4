"""How fast a model is on this machine, stage by stage: `colorcli bench`.

Every setting is measured in a process of its own (`measuring.py`), which tells its cold start and peak memory; the
processes take turns, round by round (`turns.py`), so that whatever else the machine does meets all of them.
"""
