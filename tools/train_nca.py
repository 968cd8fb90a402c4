#!/usr/bin/env python3
"""Train the texture automata that the package ships, `lesson20/assets/automata/*.safetensors`, with `train_ca` of notebook 11.

    python tools/train_nca.py [NAME ...] [--out DIR] [--work DIR]

Stopped at any time, the same command goes on from its last checkpoint in --work. Each file holds in its head what it was trained
with: target, its size in pixels, batches, minutes of one core and hardware.
"""
import argparse, time
from pathlib import Path
import torch
from lesson20.learner import Callback, CheckpointCB
from lesson20.nca import SimpleCA, make_grids, save_ca, train_ca
from lesson20.show import assets_path, sample_image, save_image
from lesson20.style import StyleLossToTarget
try: import lesson20.kernels # faster rollouts of the same rule
except ImportError: pass

# Channels and hidden width of the automaton, pixels of the target, cells of a grid, batches, highest rate, and the loss
small = dict(brain=(4,8), size=72, grid=48, batches=3000, lr=3e-3, loss=dict(layers=(1,6,11), stat='sliced'))
large = {**small, 'brain':(8,24)}
# the sliced loss hardly finds the swirl's long arms, not even where it changes pixels directly
curly = dict(brain=(12,64), size=104, grid=64, batches=4000, lr=2e-3, loss=dict(layers=(1,6,11,18), stat='meancov', relative=True))
plan = dict(bubbles=large, chequer=large, cobweb=large, dots=small, honeycomb=large, interlace=large, swirl=curly, weave=large)

class LogCB(Callback):
    "A line with the median loss every 25 batches, and CPU time that survives a restart"
    order = 60
    def __init__(self): self.spent = 0.
    def before_fit(self, learn): self.last,self.losses = time.process_time(),[]
    def after_batch(self, learn):
        now = time.process_time()
        self.spent,self.last = self.spent+now-self.last,now
        self.losses.append(learn.loss.item())
        if learn.iter%25==24: print(learn.iter+1, f'{sorted(self.losses)[len(self.losses)//2]:.4f}', f'{self.spent:.0f} s', flush=True); self.losses = []
    def state_dict(self): return dict(spent=self.spent)
    def load_state_dict(self, d): self.spent = d['spent']

def train(name, out, work, hardware, batches=None):
    o,log = plan[name],LogCB()
    n,target = batches or o['batches'],sample_image(name, o['size'])
    ca = train_ca(target, n, SimpleCA(*o['brain']), lr=o['lr'], style_loss=StyleLossToTarget(target, **o['loss']), sz=o['grid'], bs=2, pool_size=64,
                  warm_up=n//4, cbs=[log, CheckpointCB(work/f'{name}.pt', 50)])
    with torch.no_grad(): im = ca.to_rgb(ca.rollout(make_grids(1, 128, ca.num_channels), 600))[0].clamp(0, 1)
    save_image(im, work/f'{name}.png')
    return save_ca(ca, out/f'{name}.safetensors', target=name, size=o['size'], batches=n, minutes=round(log.spent/60, 1), hardware=hardware)

if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('names', nargs='*', help=f"of {', '.join(plan)}; all if none")
    p.add_argument('--out', type=Path, default=assets_path()/'automata', help='folder for the automata')
    p.add_argument('--work', type=Path, default=Path('nca_work'), help='folder for checkpoints and pictures')
    p.add_argument('--batches', type=int, help='to train on, if not as many as planned')
    p.add_argument('--hardware', default='one core of an AMD EPYC', help='to be noted in the file')
    a = p.parse_args()
    for name in a.names or plan: print(train(name, a.out, a.work, a.hardware, a.batches), flush=True)
