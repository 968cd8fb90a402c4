"""All benchmarks in one go: `python benchmarks/run.py [--only NAME ...] [--peers PYTHON] [--jax-python PYTHON] [--collect]`.

Runs the files of this folder one after the other, each of which measures its contestants side by side, and then gathers what all of them have written, together with machine and date,
in results.json. Everything runs in one process group: Ctrl-C stops all of it, and what was finished stays. `--collect` only gathers. `--peers`
is an interpreter that has fastai, Lightning and ignite, `--jax-python` one that has JAX and CAX; what is missing is left out. Together they take hours on two cores: `minutes` says
about how many each.
"""
import argparse, json, statistics, subprocess, sys, time
from pathlib import Path
from machine import results

root = Path(__file__).resolve().parent
minutes = dict(startup=10, data_batching=1, precision=3, learner_overhead=12, nca=6, growth=5, style=10, echo=30, ddpm_recipe=30, timesteps=150, sampling=120, soak=60)

def middle(ts): return dict(zip(('low', 'value', 'high'), statistics.quantiles(ts, n=4)))
def rows(d, value): return [dict(name=k, **value(v)) for k, v in d.items()]

def startup(d):
    pages = [dict(name=k.removesuffix('.html'), value=v/1e3) for k, v in {**d['pages'], **{f'{k}, alive': v for k, v in d['automata'].items()}}.items()]
    return dict(imports=dict(unit='seconds to import', rows=rows(d['imports'], lambda t: dict(value=t['seconds'], low=t['low'], high=t['high']))), pages=dict(unit='KB a page', rows=pages))

def learner_overhead(d):
    return dict(overhead=dict(unit='µs a batch beyond the bare loop', rows=[dict(name=r['name'], value=r['us'], low=r['iqr'][0], high=r['iqr'][1]) for r in sorted(d['rows'], key=lambda r: r['us'])]))

def nca(d):
    one = lambda o: dict(value=o['mcells'], low=o['mcells']*o['ms']/o['high'], high=o['mcells']*o['ms']/o['low'])
    return {k: dict(unit='million cell steps a second'+more, rows=rows(d[what], one)) for k, what, more in (('automata', 'run', ''), ('automata, gradients', 'train', ', with gradients'))}

def style(d):
    ms = lambda ts: {k: 1000*v for k, v in middle(ts).items()}
    return {f'style, {s} x {s}': dict(unit='ms a step', rows=rows(o['times'], ms)) for s, o in d['sizes'].items()}

def sampling(d):
    return dict(sampling=dict(unit='FID of 512 images by passes', rows=[dict(name=f"{r['sampler']} {r['calls']}", sampler=r['sampler'], calls=r['calls'], value=r['fid']) for r in d['rows'] if r['n']==512]))

def echo(d):
    out = {}
    for r in d['rows']: out.setdefault((r['name'], r['how']), []).append(r['seconds'])
    return dict(echo=dict(unit='seconds to the same loss', rows=[dict(name=f'{how}, loading costs {cost}', cost=cost, how=how, value=statistics.mean(v)) for (cost, how), v in out.items() if None not in v])) # None: a run that did not come to the loss

def ddpm_recipe(d):
    return dict(recipe=dict(unit='loss after the same time', rows=[dict(name=r['name'], value=r['loss'], low=min(r['draws']), high=max(r['draws'])) for r in d['recipes']]))

def growth(d): return {f'growth, {k}': dict(unit='seconds', **s) for k, s in d['series'].items()}

def soak(d): return dict(memory=dict(unit='MiB', rows=d['rows']))

def where(d):
    m = d.get('machine')
    if 'where' in d: return d['where']
    return f"{m['date']}, {m['cpu']}, {m['cores']} cores, {m['threads']} thread, Python {m['python']}" if isinstance(m, dict) else f"{d['date']}, {m}, torch {d['torch']}"

def collect():
    "What all have written, in one form: for each figure a unit, a machine, and rows of name, value, low and high"
    out = {}
    for f in (startup, learner_overhead, nca, style, sampling, echo, ddpm_recipe, growth, soak):
        for path in sorted(p for o in (root, results) for p in o.glob(f'{f.__name__}*.json')):
            d = json.loads(path.read_text(encoding='utf-8'))
            more = path.stem.removeprefix(f.__name__).strip('-_')
            for k, v in f(d).items(): out[f'{k} ({more})' if more else k] = dict(where=where(d), script=f'benchmarks/{f.__name__}.py', **v)
    (root/'results.json').write_text(json.dumps(out, indent=1, ensure_ascii=False)+'\n', encoding='utf-8')
    return out

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--only', nargs='*', choices=minutes, default=list(minutes))
    p.add_argument('--peers', help='interpreter with fastai, Lightning and ignite')
    p.add_argument('--jax-python', help='interpreter with JAX and CAX')
    p.add_argument('--collect', action='store_true', help='gather what lies there')
    a = p.parse_args()
    peers, jax = ['--python', a.peers] if a.peers else [], ['--jax-python', a.jax_python] if a.jax_python else []
    runs = dict(startup=[peers], learner_overhead=[peers], nca=[jax, [*jax, '--size', '256']], style=[[], ['--avx2', '--out', 'style-avx2']], data_batching=[['--write']], precision=[['--write']])
    failed = []
    for name in () if a.collect else a.only:
        print(f'== {name}: about {minutes[name]} minutes', flush=True)
        start = time.time()
        for args in runs.get(name, [[]]):
            if subprocess.run([sys.executable, str(root/f'{name}.py'), *args], cwd=root.parent).returncode: failed.append(' '.join([name, *args]))
        print(f'== {name}: {(time.time()-start)/60:.1f} minutes', flush=True)
    for k, v in collect().items(): print(f"{k}: {len(v['rows'])} rows, {v['where']}")
    if failed: sys.exit(f"failed: {', '.join(failed)}")

if __name__ == '__main__': main()
