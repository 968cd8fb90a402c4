"""Faults and odd inputs in full: `python benchmarks/faults.py [--store]`.

Executes notebook 98 in its setting `full` (50 kills of each kind of run, 600 generated inputs and more), with the cells that need Chromium, and writes what it told to faults.json and
faults.md, with the machine. Takes some ten minutes. With `--store` the notebook keeps the outputs.
"""
import argparse, json, os, platform, tempfile
from datetime import date
from pathlib import Path
import nbformat, torch
from nbclient import NotebookClient
from machine import cpu_name

root = Path(__file__).resolve().parent
notebook = root.parent/'nbs'/'98_faults.ipynb'

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--store', action='store_true', help='keep the outputs in the notebook')
    a = p.parse_args()
    nb = nbformat.read(notebook, 4)
    with tempfile.TemporaryDirectory() as d:
        os.environ.update(LESSON20_SETTING='full', LESSON20_FAULTS=f'{d}/out.json')
        NotebookClient(nb, timeout=7200, kernel_name='python3', resources={'metadata': {'path': str(notebook.parent)}}).execute()
        found = json.loads(Path(f'{d}/out.json').read_text())
    where = f'{date.today()}, {cpu_name()}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}, seed {found["seed"]}, {found["seconds"]/60:.0f} minutes'
    rows = ''.join(f"| {o['fault']} | {o['times']} | {o['outcome']} |\n" for o in found['outcomes'])
    (root/'faults.json').write_text(json.dumps(dict(where=where, **found), indent=1)+'\n', encoding='utf-8')
    (root/'faults.md').write_text(f'# Faults and odd inputs\n\n`benchmarks/faults.py`, {where}.\n\n| fault | times | outcome |\n|-|-:|-|\n{rows}', encoding='utf-8')
    if a.store: nbformat.write(nb, notebook)
    print(where, rows, sep='\n')

if __name__ == '__main__': main()
