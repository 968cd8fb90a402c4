"""Time of a training step in float32 and with MixedPrecision on this machine: `python benchmarks/precision.py [--write]`.

Both kinds of step alternate, so that whatever else the machine does hits both. Prints medians with the quartiles, and the ratio.
`--write` stores the table beside this file."""
import argparse, statistics, time
from pathlib import Path
import torch, torch.nn.functional as F
from torch import nn
from lesson20.learner import Callback, DeviceCB, Learner, TrainCB, default_device
from lesson20.data import DataLoaders
from lesson20.precision import MixedPrecision, best_dtype
from machine import cpu_name

def conv(ni, nf, stride=1): return nn.Sequential(nn.Conv2d(ni, nf, 3, stride=stride, padding=1), nn.BatchNorm2d(nf), nn.ReLU())
def convnet(nf=32):
    return nn.Sequential(conv(1,nf), conv(nf,2*nf,2), conv(2*nf,2*nf), conv(2*nf,4*nf,2), conv(4*nf,4*nf),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4*nf,10))
def mlp(): return nn.Sequential(nn.Flatten(), nn.Linear(784,1024), nn.ReLU(), nn.Linear(1024,1024), nn.ReLU(), nn.Linear(1024,10))

class StepTimes(Callback):
    "Seconds from the beginning of a batch to its end, with the device idle at both"
    order = -10
    def __init__(self): self.times = []
    def _now(self, learn):
        if next(learn.model.parameters()).is_cuda: torch.cuda.synchronize()
        return time.perf_counter()
    def before_batch(self, learn): self.start = self._now(learn)
    def after_batch(self, learn): self.times.append(self._now(learn)-self.start)

def measure(make, batch, rounds=12, skip=2):
    "Times of a step for each callback, in turns"
    device,clocks = default_device(),{}
    learners = {}
    for name,cb in (('float32',TrainCB()), ('mixed',MixedPrecision())):
        clocks[name] = StepTimes()
        cbs = [cb, DeviceCB(device), clocks[name]]
        learners[name] = Learner(make(), DataLoaders([batch],[]), F.cross_entropy, lr=1e-3, cbs=cbs, opt_func=torch.optim.Adam)
    for _ in range(rounds):
        for learn in learners.values(): learn.fit(1, valid=False, reset_opt=False)
    return {k:[t*1e3 for t in c.times[skip:]] for k,c in clocks.items()}

def row(name, times):
    q = {k:statistics.quantiles(v, n=4) for k,v in times.items()}
    cells = [f'{b:.1f} ({a:.1f} to {c:.1f})' for a,b,c in q.values()]
    return f"| {name} | {' | '.join(cells)} | {q['float32'][1]/q['mixed'][1]:.2f} |"

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--write', action='store_true', help='store the table beside this file')
    args = p.parse_args()
    device = default_device()
    name = torch.cuda.get_device_name() if device.type=='cuda' else f'{cpu_name()}, threads: {torch.get_num_threads()}'
    torch.manual_seed(0)
    xb,yb = torch.randn(128,1,28,28),torch.randint(0,10,(128,))
    where = f'{name}, torch {torch.__version__}, mixed = {best_dtype(device)}, {time.strftime("%Y-%m-%d")}'
    rows = [f'Step time in ms, median (quartiles). {where}.', '',
        '| network, batch of 128 | float32 | MixedPrecision() | times faster |', '|---|---|---|---|']
    for k,make in (('5 convolutions', convnet), ('3 wide linear layers', mlp)): rows.append(row(k, measure(make, (xb,yb))))
    print('\n'.join(rows))
    if args.write: Path(__file__).with_suffix('.md').write_text('\n'.join(['# A training step in float32 and in 16 bits', '', *rows])+'\n')
