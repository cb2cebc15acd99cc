"""An example of a package that adds to assay. Copy it and change what differs.

policy.py    the Model: observations in, an action out; how it is saved and read back
task.py      the Task (a case is an episode) and the Paradigm (how to recognise and bind the problem)
recipes.py   two ways to get a policy: at random, and by the cross-entropy method
shrunken.py  a recipe for a paradigm that assay has already: rows of a table
"""
