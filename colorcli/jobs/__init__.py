"""Planning: from the inputs of a command line to a list of jobs, each with a file to read and one to write."""

from colorcli.jobs.clashes import passes_without_clashes
from colorcli.jobs.job import Job, Plan
from colorcli.jobs.outputs import numbered, of_copy, of_entropy
from colorcli.jobs.planning import plan

__all__ = ["Job", "Plan", "numbered", "of_copy", "of_entropy", "passes_without_clashes", "plan"]
