"""The store: plain folders and JSON files are the truth, readable by anyone; the SQLite index is a cache.

    .assay/assay-store.json              {"format": 1, "made": ...}: says that the folder is ours
    .assay/.gitignore                    "*", so that nobody commits it by accident
    .assay/looks.jsonl                   every look at a test part's labels, in whichever run; see looks.py
    .assay/index.sqlite                  what `runs()` last read; delete it at will
    .assay/runs/<id>/                    20261122-213045-churn-x7k2: UTC, name, four random characters
        run.json                         id, name, status, declared, started, ended, pid, versions, summary
        events.jsonl                     {t, kind, ...}: appended as the run goes; t in seconds since 1970
        look.json                        which look at its test labels this run took: {seal, number, chain}
        receipt.json, receipt.sig        what vouches for all other files of a finished run; see receipt.py
        lock                             held by the process that works on the run
        model/                           see package.py
    .assay/models/<name>/versions/<n>.json   {version, run, folder, made, digest, summary}
    .assay/models/<name>/aliases.jsonl       {when, who, alias, version, from, why}: its last line says where it points

No lock is needed to begin a run or to register a version: folders and version files are made by
exclusive creation, and the loser of a race takes the next name.
"""

from assay.store.runs import Run
from assay.store.store import Store

__all__ = ["Run", "Store"]
