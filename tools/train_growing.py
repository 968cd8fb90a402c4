#!/usr/bin/env python3
"""Train the growing automata that the package ships, `lesson20/assets/automata/{lizard,butterfly}.safetensors`.

    python tools/train_growing.py NAME --out DIR [--minutes M]

The three stages of notebook 13, one after the other. Stopped at any time, or after M minutes, the same command goes on from its last checkpoint;
DIR/NAME.safetensors is there when all is done.
"""
import argparse,json,time
from pathlib import Path
import torch
from lesson20.growing import GrowingCA, grow_error, grow_target, seeds, train_grower
from lesson20.learner import Callback, CheckpointCB, set_seed
from lesson20.nca import save_ca
from lesson20.show import save_image, tile_images

plan = dict(growing=dict(n=400, bs=4, drops=()), persisting=dict(n=375, bs=6, drops=()), regenerating=dict(n=3000, bs=6, damage=2, drops=(.75,.92)))
sizes = dict(lizard=dict(size=40, pad=8, steps=(64,96)), butterfly=dict(size=32, pad=6, steps=(56,80)))

class PaceCB(Callback):
    "Count minutes of CPU, print a row and draw the batch now and then, stop when the time is up"
    order = 2000 # after the checkpoint
    def __init__(self, path, every, minutes): self.path,self.every,self.minutes,self.start,self.spent,self.losses = path,every,minutes,time.time(),0.,[]
    def before_fit(self, learn): self.last = time.process_time()
    def after_batch(self, learn):
        now = time.process_time()
        self.spent,self.last = self.spent+now-self.last,now
        self.losses.append(learn.loss.item())
        if (learn.iter+1)%self.every: return
        print(json.dumps(dict(stage=self.path.name, batch=learn.iter+1, loss=round(sum(self.losses)/len(self.losses),6), minutes=round(self.spent/60,2))), flush=True)
        self.losses = []
        save_image(tile_images(learn.model.to_rgb(learn.preds).clamp(0,1), ncols=4), self.path.with_suffix('.png'))
        if time.time()-self.start>60*self.minutes: raise SystemExit('time is up: the same command goes on')
    def state_dict(self): return dict(spent=self.spent)
    def load_state_dict(self, d): self.spent = d['spent']

def main(name, out, minutes, hidden=96, every=25):
    out = Path(out); out.mkdir(parents=True, exist_ok=True)
    size,pad,steps = sizes[name].values()
    set_seed(0)
    torch.set_num_threads(1)
    target,model,spent,start = grow_target(name, size, pad),GrowingCA(hidden_n=hidden),0.,time.time()
    for stage,kw in plan.items():
        path = out/f'{name}_{stage}.ckpt'
        pace = PaceCB(path, every, minutes-(time.time()-start)/60)
        train_grower(target, stage, model=model, steps=steps, cbs=[CheckpointCB(path, every), pace], **kw)
        spent += pace.spent
        save_ca(model, out/f'{name}_{stage}.safetensors')
    with torch.no_grad(): error = grow_error(model.rollout(seeds(8, target.shape[1:]), 200), target).mean().item()
    save_ca(model, out/f'{name}.safetensors', target=name, size=size, pad=pad, batches=sum(o['n'] for o in plan.values()), minutes=round(spent/60, 1), error=round(error, 6), hardware='one core of an AMD EPYC')

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('name', choices=list(sizes))
    p.add_argument('--out', required=True, help='folder for checkpoints, previews and weights')
    p.add_argument('--minutes', type=float, default=1e9, help='stop after so many, to be continued')
    p.add_argument('--hidden', type=int, default=96, help='width of the hidden layer')
    main(**vars(p.parse_args()))
