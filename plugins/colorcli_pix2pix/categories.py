"""The six categories of pictures, each with its own generator (Edinburgh paper, section 2.3)."""

CATEGORIES = ("animals", "city", "nature", "others", "people", "scenery")  # sorted, like those of the data
