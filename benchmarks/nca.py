"""A run of an automaton, side by side: `python benchmarks/nca.py [--grids 4] [--size 128] [--steps 64] [--rounds 7] [--threads 2] [--jax-python PYTHON]`.

Every contestant lives in a process of its own, started with the same malloc settings and number of threads, and answers when asked: they take turns, so that whatever else the
machine does hits all alike. A turn begins after a pause in which the threads of the one before come to rest, with a run that isn't counted (pages and caches are cold after the
others' turns); its figure is the median of the runs of the next half second. The table has medians and the range of the middle half, ratios to the lesson's way of the same round,
and the growth of the peak resident set over the run. JAX and CAX may live in another environment: `--jax-python`; where they are missing, their lines are. Writes
nca.md and nca.json into lesson20/assets/results, where notebook 12 reads them; with another size than 128, nca-SIZE.md and nca-SIZE.json.
"""
import argparse, json, os, resource, statistics, subprocess, sys, time
from datetime import date
from pathlib import Path
from machine import cpu_name, results

root = Path(__file__).resolve().parent
malloc = dict(MALLOC_MMAP_THRESHOLD_=str(1 << 30), MALLOC_TRIM_THRESHOLD_=str(1 << 34))

def lesson(a):
    "As taught: filters as a convolution, a network of two 1x1 convolutions, a mask from torch.rand"
    import torch, torch.nn.functional as F
    from lesson20.nca import filters
    net = torch.nn.Sequential(torch.nn.Conv2d(16, 8, 1), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1, bias=False))
    def run(x, n):
        for _ in range(n):
            b, c, h, w = x.shape
            y = F.conv2d(F.pad(x.reshape(b*c, 1, h, w), (1, 1, 1, 1), 'circular'), filters[:, None]).reshape(b, -1, h, w)
            x = x+net(y)*(torch.rand(b, 1, h, w) < 0.5)
        return x
    return torch_runner(run, net, a)

def ours(how):
    def make(a):
        import lesson20.kernels
        from lesson20.nca import SimpleCA
        model = SimpleCA(zero_w2=False)
        return torch_runner(lambda x, n: model.rollout(x, n, seed=1, how=how), model, a)
    return make

def torch_runner(run, model, a):
    "Functions that run, and that run with gradients"
    import torch
    torch.set_num_threads(a.threads)
    x = torch.rand(a.grids, 4, a.size, a.size)-0.5
    for p in model.parameters(): p.data *= 0.5
    def forward():
        with torch.no_grad(): run(x, a.steps)
    def train():
        model.zero_grad()
        run(x.clone().requires_grad_(), a.steps).square().mean().backward()
    return forward, train

def jax_runner(step, params, x, rest, a):
    "The same in JAX: `step` gives the grids and what else goes from step to step"
    import jax
    def run(params, x, rest): return jax.lax.scan(lambda o, _: (step(params, *o), None), (x, rest), length=a.steps)[0][0]
    forward, grad = jax.jit(run), jax.jit(jax.grad(lambda p, x, r: (run(p, x, r)**2).mean(), argnums=(0, 1)))
    return lambda: jax.block_until_ready(forward(params, x, rest)), lambda: jax.block_until_ready(grad(params, x, rest))

def jax_conv(a):
    "The folded rule as two convolutions in JAX"
    import jax, jax.numpy as jnp
    k = jax.random.split(jax.random.key(1), 4)
    params = jax.random.normal(k[0], (3, 3, 4, 8))/12, jnp.zeros(8), jax.random.normal(k[1], (1, 1, 8, 4))/8
    def conv(x, w): return jax.lax.conv_general_dilated(x, w, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
    def step(p, x, key):
        y, (now, key) = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode='wrap'), jax.random.split(key)
        return x+conv(jax.nn.relu(conv(y, p[0])+p[1]), p[2])*jax.random.bernoulli(now, 0.5, (*x.shape[:3], 1)), key
    return jax_runner(step, params, jax.random.uniform(k[2], (a.grids, a.size, a.size, 4))-0.5, k[3], a)

def cax(a):
    "CAX: its perception by a depthwise convolution, its residual update with dropped cells; without alive masking, which a texture has not"
    import jax
    from flax import nnx
    from cax.core.perceive import ConvPerceive
    from cax.core.update import ResidualUpdate
    rngs = nnx.Rngs(0)
    see = ConvPerceive(channel_size=4, perception_size=16, rngs=rngs, padding='CIRCULAR', feature_group_count=4)
    change = ResidualUpdate(2, 4, 16, (8,), rngs=rngs, cell_dropout_rate=0.5, step_size=0.1)
    graph, params, rest = nnx.split((see, change), nnx.Param, ...)
    def step(params, x, rest):
        see, change = nnx.merge(graph, params, rest)
        x = change(x, see(x))
        return x, nnx.split((see, change), nnx.Param, ...)[2]
    return jax_runner(step, params, jax.random.uniform(jax.random.key(0), (a.grids, a.size, a.size, 4))-0.5, rest, a)

contestants = {'the lesson': lesson, 'folded (lesson20)': ours('folded'), 'compiled (lesson20)': ours('compiled'), 'fused (lesson20)': ours('fused'), 'JAX, two convolutions': jax_conv, 'CAX': cax}
in_jax = 'JAX, two convolutions', 'CAX'

def serve(name, a):
    "Be a contestant: answer each line, `run` or `train`, with seconds and the peak in MiB"
    fs = dict(zip(('run', 'train'), contestants[name](a)))
    for line in sys.stdin:
        f, times = fs[line.strip()], []
        time.sleep(0.3)
        f()
        while not times or sum(times) < 0.5:
            start = time.perf_counter()
            f()
            times.append(time.perf_counter()-start)
        print(statistics.median(times), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024, flush=True)

class Contestant:
    "A process that answers"
    def __init__(self, name, a):
        python = a.jax_python if name in in_jax else sys.executable
        env = dict(os.environ, **malloc, OMP_NUM_THREADS=str(a.threads), XLA_FLAGS='--xla_cpu_multi_thread_eigen=true', JAX_PLATFORMS='cpu')
        args = [python, __file__, '--serve', name] + [str(o) for k in ('grids', 'size', 'steps', 'threads') for o in ('--'+k, getattr(a, k))]
        self.p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=root.parent)
    def ask(self, what):
        try:
            print(what, file=self.p.stdin, flush=True)
            return [float(o) for o in self.p.stdout.readline().split()] or None
        except BrokenPipeError: return None
    def end(self):
        self.p.stdin.close()
        self.p.wait()
        return self.p.stderr.read()

def measure(what, a):
    "Seconds of each round, and the growth of the peak over the first, by contestant"
    times, peaks, live = {}, {}, {}
    for name in contestants:
        c = Contestant(name, argparse.Namespace(**{**vars(a), 'steps': 1}))
        base = c.ask(what)
        c.end()
        c = Contestant(name, a)
        first = c.ask(what)
        if base and first: live[name], times[name], peaks[name] = c, [], first[1]-base[1]
        else: print(f'{name} does not run here: {(c.end().strip().splitlines() or [""])[-1][:200]}')
    for _ in range(a.rounds):
        for name, c in live.items(): times[name].append(c.ask(what)[0])
    for c in live.values(): c.end()
    return times, peaks

def summary(times, peaks, a):
    base, work, out = times['the lesson'], a.grids*a.size**2*a.steps/1e6, {}
    for k, v in times.items():
        q = statistics.quantiles(v, n=4)
        out[k] = dict(ms=1000*statistics.median(v), low=1000*q[0], high=1000*q[2], mcells=work/statistics.median(v),
                      ratio=statistics.median(b/t for b, t in zip(base, v)), mib=peaks[k], seconds=v)
    return out

def table(what, r):
    head = f"\n## {dict(run='Running', train='Running, with gradients')[what]}\n\n| | ms | million cell steps a second | times the lesson | MiB over one step's |\n|-|-|-|-|-|\n"
    return head+'\n'.join(f"| {k} | {o['ms']:.0f} ({o['low']:.0f} to {o['high']:.0f}) | {o['mcells']:.0f} | {o['ratio']:.1f} | {max(0, round(o['mib']))} |" for k, o in r.items())+'\n'

def versions(a):
    code = "import importlib.metadata as m\nfor k in ('torch','numba','jax','cax'):\n try: print(k, m.version(k))\n except Exception: pass"
    out = [subprocess.run([p, '-c', code], capture_output=True, text=True).stdout.splitlines() for p in dict.fromkeys((sys.executable, a.jax_python))]
    return ', '.join(dict.fromkeys(o for l in out for o in l))

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for k, v in dict(grids=4, size=128, steps=64, rounds=7, threads=2).items(): p.add_argument('--'+k, type=int, default=v)
    p.add_argument('--jax-python', default=sys.executable)
    p.add_argument('--serve', help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.serve: return serve(a.serve, a)
    load = os.getloadavg()[0]
    found = {what: summary(*measure(what, a), a) for what in ('run', 'train')}
    where = (f"{date.today()}, {cpu_name()}, {a.threads} threads, {versions(a)}, {a.rounds} rounds, median (middle half); "
             f"{a.grids} grids of {a.size} x {a.size}, {a.steps} steps; load of the machine before: {load:.1f}")
    text = ''.join(table(k, v) for k, v in found.items())
    stem = 'nca' if a.size==128 else f'nca-{a.size}'
    (results/f'{stem}.md').write_text(f'# Running an automaton of 168 numbers\n\n`benchmarks/nca.py`, {where}.\n{text}', encoding='utf-8')
    (results/f'{stem}.json').write_text(json.dumps(dict(where=where, **found), indent=1), encoding='utf-8')
    print(where, text)

if __name__ == '__main__': main()
