"""What an importer and a reader wait for: `python benchmarks/startup.py [--rounds 7] [--python PYTHON] [--pages DIR]`.

Imports are timed in processes of their own that take turns, beside the packages that lesson20 builds on and its peers: medians with the range of the middle half; `--python` names a
further interpreter for what is not installed in this one. Weights are the bytes of every page (built into a temporary folder unless `--pages` names one that `python -m lesson20.docs
--pages-to` has made), and of the live automata. Writes startup.json and startup.md.
"""
import argparse, json, os, platform, statistics, subprocess, sys, tempfile
from datetime import date
from pathlib import Path
from machine import cpu_name

root = Path(__file__).resolve().parent
imports = 'torch', 'torchvision', 'diffusers', 'accelerate', 'lesson20.learner', 'lesson20.style', 'lesson20.all', 'fastai.vision.all', 'lightning', 'ignite.engine'

def seconds(python, name):
    "Seconds to import a module in a new process, or None where it is missing"
    code = f'import time\nt = time.perf_counter()\nimport {name}\nprint(time.perf_counter()-t)'
    p = subprocess.run([python, '-W', 'ignore', '-c', code], capture_output=True, text=True, cwd=root.parent, env=dict(os.environ, OMP_NUM_THREADS='1'))
    return float(p.stdout.split()[-1]) if p.returncode==0 else None

def import_times(a):
    pythons = {}
    for name in imports: # not counted: files come into the cache
        pythons[name] = next((p for p in (sys.executable, *a.python) if seconds(p, name)), None)
        if not pythons[name]: print(f'{name} is not installed')
    times = {k: [] for k, p in pythons.items() if p}
    for _ in range(a.rounds):
        for k in times: times[k].append(seconds(pythons[k], k))
    return {k: dict(zip(('low', 'seconds', 'high'), statistics.quantiles(v, n=4))) for k, v in times.items()}

def weights(a):
    "Bytes of the pages and of the live automata"
    from lesson20.nca import load_ca
    from lesson20.webgl import to_html
    with tempfile.TemporaryDirectory() as tmp:
        pages = Path(a.pages or tmp)
        if not a.pages: subprocess.run([sys.executable, '-m', 'lesson20.docs', '--pages-to', tmp], check=True, cwd=root.parent, stdout=subprocess.DEVNULL)
        out = {p.name: p.stat().st_size for p in sorted(pages.glob('*.html'))}
    return dict(pages=out, automata={k: len(to_html(load_ca(k)).encode()) for k in ('dots', 'honeycomb', 'lizard')})

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--rounds', type=int, default=7)
    p.add_argument('--python', action='append', default=[])
    p.add_argument('--pages')
    a = p.parse_args()
    where = f'{date.today()}, {cpu_name()}, {os.cpu_count()} cores, Python {platform.python_version()}, {a.rounds} rounds'
    times, w = import_times(a), weights(a)
    base = times['torch']['seconds']
    rows = [f"| `import {k}` | {t['seconds']:.2f} ({t['low']:.2f} to {t['high']:.2f}) | {t['seconds']/base:.1f} |" for k, t in times.items()]
    text = (f'# Importing, and pages\n\n`benchmarks/startup.py`, {where}, median (middle half).\n\n| | seconds | times torch |\n|-|-:|-:|\n'+'\n'.join(rows)
            +'\n\n| page | KB |\n|-|-:|\n'+'\n'.join(f'| {k} | {v/1e3:.0f} |' for k, v in {**w['pages'], **{f'automaton {k}, live': v for k, v in w['automata'].items()}}.items())+'\n')
    (root/'startup.json').write_text(json.dumps(dict(where=where, imports=times, **w), indent=1), encoding='utf-8')
    (root/'startup.md').write_text(text, encoding='utf-8')
    print(text)

if __name__ == '__main__': main()
