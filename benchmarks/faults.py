"""How the package stands up to faults: `python benchmarks/faults.py`, on Linux, three to ten minutes.

Runs notebook 98 with its full counts (50 kills of each of three kinds of run, more than 600 generated inputs), stores its outputs, and writes faults.json and faults.md. It fails, and
writes nothing, as soon as an assertion of the notebook does.
"""
import json, os, tempfile
from datetime import date
from pathlib import Path
import nbformat, torch
from nbclient import NotebookClient
from machine import cpu_name

root = Path(__file__).resolve().parent

def main():
    path = root.parent/'nbs'/'98_faults.ipynb'
    nb = nbformat.read(path, 4)
    with tempfile.TemporaryDirectory() as d:
        os.environ.update(LESSON20_SETTING='full', LESSON20_FAULTS=f'{d}/faults.json')
        NotebookClient(nb, timeout=None, resources=dict(metadata=dict(path=path.parent))).execute()
        out = json.loads(Path(d, 'faults.json').read_text())
    nbformat.write(nb, path)
    where = f'{date.today()}, {cpu_name()}, {os.cpu_count()} cores, torch {torch.__version__}, seed {out["seed"]}, {out["seconds"]/60:.0f} minutes'
    rows = '\n'.join(f'| {o["fault"]} | {o["times"]} | {o["outcome"]} |' for o in out['outcomes'])
    (root/'faults.json').write_text(json.dumps(dict(where=where, **out), indent=1, ensure_ascii=False), encoding='utf-8')
    (root/'faults.md').write_text(f'# Faults and hostile input\n\n`benchmarks/faults.py`, {where}.\n\n| fault | times | outcome |\n|-|-:|-|\n{rows}\n', encoding='utf-8')
    print((root/'faults.md').read_text(encoding='utf-8'))

if __name__ == '__main__': main()
