"""Other tools as contestants: what they are given, how they run, what of their answers is believed.

    known.py         a word of --with -> a Contestant: a tool that has an adapter, a script, or a command line
    environments.py  an environment of its own for a tool, made once and kept in the store
    desk.py          the folder that a contestant works in, and what lies in it
    running.py       one command within a budget: killed with all its children when that is spent
    answers.py       predictions.parquet, checked before a number is computed from it
    adapter.py       the script that runs in a tool's own environment; it imports nothing of assay
"""
