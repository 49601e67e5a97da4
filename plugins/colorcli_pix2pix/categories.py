"""The six kinds of picture that have a generator of their own (Edinburgh paper, section 2.3)."""

CATEGORIES = ("animals", "city", "nature", "others", "people", "scenery")  # sorted, as those of the data are
