"""How time grows with size: `python benchmarks/growth.py [--rounds 5] [--threads 2] [--only automata ...]`.

Five series: an automaton's step against the cells of its grid, a run with gradients against its steps, a step of style transfer against pixels, a training step of the small diffusion
model against the images of a batch, and an epoch of its training by `AccelerateCB` against processes of one thread. The sizes of a series take turns, after a warm-up; figures are
medians with the range of the middle half. The limit is the number of floating-point operations, divided by the rate at which this computer multiplies matrices in the same run: no
program can be faster, and one whose time runs parallel to it grows as its work does. Writes growth.json and growth.md.
"""
import argparse, json, os, statistics, subprocess, sys, time
from datetime import date
from functools import partial
from pathlib import Path
from machine import cpu_name
import torch
from torch.utils.flop_counter import FlopCounterMode

root = Path(__file__).resolve().parent

def clock(f):
    start = time.perf_counter()
    f()
    return time.perf_counter()-start

def peak(n=1536):
    "Floating-point operations a second of a matrix product, at best"
    a = torch.rand(n, n)
    a@a
    return 2*n**3/min(clock(lambda: a@a) for _ in range(20))

def flops(f):
    with FlopCounterMode(display=False) as count: f()
    return count.get_total_flops()

def automaton(size, steps, grad, how):
    import lesson20.kernels
    from lesson20.nca import SimpleCA
    model, x = SimpleCA(zero_w2=False), torch.rand(4, 4, size, size)-0.5
    model.w2.weight.data *= 0.2
    def run():
        with torch.set_grad_enabled(grad):
            y = model.rollout(x.clone().requires_grad_(grad), steps, how=how)
            if grad: y.square().mean().backward()
    ops = 2*(16*8+8*4)+4*14 # a cell's two layers and its sums for the filters
    return run, ops*(3 if grad else 1)*4*size**2*steps

def cells_of(how): return {4*s*s: partial(automaton, s, 16, False, how) for s in (32, 64, 128, 256, 512)}
def steps_of(how): return {n: partial(automaton, 64, n, True, how) for n in (8, 16, 32, 64, 128, 256)}

def picture(size):
    from lesson20.show import sample_image
    from lesson20.style import ContentLossToTarget, StyleLossToTarget
    x, y = (sample_image(o, size)[None] for o in ('chelsea', 'coffee'))
    loss = ContentLossToTarget(x, (18, 25))+StyleLossToTarget(y, (1, 6, 11, 18, 25))
    def run(): loss(x.clone().requires_grad_()).backward()
    return run, flops(run)

def unet():
    from lesson20.ddpm import UNet
    return UNet(block_out_channels=(8, 16, 32), attn_levels=1)

def batch(n):
    model = unet()
    def run(n=n):
        model.zero_grad()
        model((torch.randn(n, 1, 32, 32), torch.full((n,), 500))).square().mean().backward()
    return run, flops(partial(run, 2))*n/2

series = {
    'automata': dict(axis='cells', made='16 steps of 4 grids, fused', sizes=cells_of('fused')),
    'automata, the lesson': dict(axis='cells', made="16 steps of 4 grids, the lesson's way", sizes=cells_of('plain')),
    'automata, gradients': dict(axis='steps', made='4 grids of 64 x 64 with gradients, fused', sizes=steps_of('fused')),
    'style': dict(axis='pixels', made='a step: VGG16, content and Gram loss', sizes={s*s: partial(picture, s) for s in (64, 128, 256, 512)}),
    'diffusion': dict(axis='images', made='a training step of a UNet of 8 to 32 channels, 32 x 32 pixels', sizes={n: partial(batch, n) for n in (2, 8, 32, 128)})}

def worker(n):
    "One of several processes: seconds of an epoch of 16 batches, of which each process has its share"
    from torch.utils.data import DataLoader, TensorDataset
    from lesson20.accel import AccelerateCB
    from lesson20.data import DataLoaders
    from lesson20.learner import Callback, Learner
    torch.set_num_threads(1)
    dl = DataLoader(TensorDataset(torch.randn(512, 1, 32, 32), torch.zeros(512).long(), torch.randn(512, 1, 32, 32)), batch_size=32//n)
    net = unet()
    times = []
    class Clock(Callback):
        def before_epoch(self, learn): times.append(time.perf_counter())
        def after_epoch(self, learn): times[-1] = time.perf_counter()-times[-1]
    class Pair(torch.nn.Module):
        def __init__(self): super().__init__(); self.net = net
        def forward(self, x, t): return self.net((x, t))
    Learner(Pair(), DataLoaders(dl, dl), torch.nn.functional.mse_loss, lr=1e-3, cbs=[AccelerateCB(n_inp=2, mixed_precision='no', cpu=True), Clock()]).fit(4, valid=False)
    if os.environ.get('RANK', '0')=='0': print(json.dumps(times[1:]))

def processes(a):
    "Epochs by 1 and more processes, which take turns"
    ns, out = [n for n in (1, 2, 4) if n<=(os.cpu_count() or 1)], {}
    env = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(root.parent), PYTHONWARNINGS='ignore')
    for _ in range(max(a.rounds//2, 1)):
        for n in ns:
            cmd = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', str(n), __file__, '--worker', str(n)]
            lines = subprocess.run(cmd, env=env, capture_output=True, text=True, check=True, cwd=root.parent).stdout.splitlines()
            out.setdefault(n, []).extend(json.loads(next(o for o in lines if o.startswith('['))))
    return out

def row(x, ts, limit):
    q = statistics.quantiles(ts, n=4) if len(ts)>1 else ts*3
    return dict(x=x, seconds=statistics.median(ts), low=q[0], high=q[2], limit=limit)

def measure(s, rounds):
    runs = {x: make() for x, make in s['sizes'].items()}
    times = {x: [] for x in runs}
    for i in range(rounds+1):
        for x, (f, _) in runs.items():
            f() # caches are cold after the others' turns
            t = clock(f)
            if i: times[x].append(t)
    return dict(axis=s['axis'], made=s['made'], rows=[row(x, ts, runs[x][1]) for x, ts in times.items()])

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--only', nargs='*', default=[*series, 'processes'])
    p.add_argument('--worker', type=int, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.worker: return worker(a.worker)
    torch.set_num_threads(a.threads)
    rate = peak()
    out = {k: measure(s, a.rounds) for k, s in series.items() if k in a.only}
    rate = max(rate, peak())
    for s in out.values():
        for r in s['rows']: r['limit'] /= rate
    if 'processes' in a.only:
        times = processes(a)
        alone = statistics.median(times[1])
        out['processes'] = dict(axis='processes of one thread', made='an epoch of 512 images by AccelerateCB', rows=[row(n, ts, alone/n) for n, ts in times.items()])
    where = f'{date.today()}, {cpu_name()}, {os.cpu_count()} cores, {a.threads} threads, torch {torch.__version__}, {a.rounds} rounds, matrix products at {rate/1e9:.0f} billion operations a second'
    head = '| series | size | ms | limit, ms | times the limit |\n|-|-:|-:|-:|-:|\n'
    lines = [f"| {k}: {s['made']} | {r['x']} {s['axis']} | {1000*r['seconds']:.3g} ({1000*r['low']:.3g} to {1000*r['high']:.3g}) | {1000*r['limit']:.3g} | {r['seconds']/r['limit']:.1f} |"
             for k, s in out.items() for r in s['rows']]
    text = f'# How time grows with size\n\n`benchmarks/growth.py`, {where}. Median (middle half). For processes the limit is the time of one, divided by their number.\n\n{head}'+'\n'.join(lines)+'\n'
    (root/'growth.json').write_text(json.dumps(dict(where=where, series=out), indent=1), encoding='utf-8')
    (root/'growth.md').write_text(text, encoding='utf-8')
    print(text)

if __name__ == '__main__': main()
