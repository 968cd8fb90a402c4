"""Wall time to a given validation loss against the cost of loading: no echo, echoed batches, echoed images (arXiv 1907.05550).

The small diffusion model of notebook 06 on Fashion-MNIST, one process that learns and one worker that loads, so that both overlap. Loading costs 0, 0.5, 1, 2
or 4 times a training step, by waiting as for a disk or a network; and once what it really costs to decode and shrink a folder of PNG files.
Weights are copied every ten steps and judged after the clock has stopped. `python benchmarks/echo.py [--seeds 2] [--steps 200]` writes echo.md and, for notebook 06, lesson20/assets/results/echo.json."""
import argparse,json,statistics,tempfile,time
from datetime import date
from functools import partial
from pathlib import Path
import torch
from torch import nn,optim
from torch.utils.data import Dataset
from lesson20.data import DataLoaders,fashion_mnist
from lesson20.ddpm import UNet,dl_ddpm,eval_loss,init_ddpm
from lesson20.learner import *
from lesson20.multidl import MultDL,load_seconds,step_seconds
from lesson20.show import load_image,save_image
from machine import cpu_name,results

here,bs,mult = Path(__file__).parent,32,8

class Waiting(Dataset):
    "The images of `ds`, after a wait of `secs` for each batch"
    def __init__(self, ds, secs): self.ds,self.secs = ds,secs
    def __len__(self): return len(self.ds)
    def __getitems__(self, idxs): time.sleep(self.secs); return self.ds.__getitems__(idxs)

class Folder(Dataset):
    "PNG files, decoded and shrunk to 32 x 32 for each batch"
    def __init__(self, files): self.files = files
    def __len__(self): return len(self.files)
    def __getitem__(self, i): return dict(image=nn.functional.interpolate(load_image(self.files[i])[None,:1], (32,32), mode='area')[0])

def png_folder(ds, folder, n, size):
    "Write `n` images enlarged to `size` pixels as PNG files"
    files = [Path(folder)/f'{i:05}.png' for i in range(n)]
    for f,x in zip(files, ds[:n]['image']): save_image(nn.functional.interpolate(x[None], (size,size), mode='bicubic')[0].clamp(0,1), f)
    return files

def fresh_learner(dl, seed, cbs=()):
    torch.manual_seed(seed)
    model = UNet(block_out_channels=(8,16,32), layers_per_block=1, attn_levels=0)
    init_ddpm(model)
    return Learner(model, DataLoaders(dl, []), nn.MSELoss(), lr=2e-3, cbs=[TrainCB(), GradClipCB(1.), *cbs], opt_func=partial(optim.Adam, eps=1e-5, betas=(0.9,0.99)))

class Snapshots(Callback):
    "Copies of the weights every `every` steps with the time they took, up to `steps` steps"
    def __init__(self, steps, every=10): self.steps,self.every,self.n,self.kept = steps,every,0,[]
    def before_fit(self, learn): self.start = time.perf_counter()
    def after_batch(self, learn):
        self.n += 1
        if self.n%self.every==0: self.kept.append((time.perf_counter()-self.start, {k:v.clone() for k,v in learn.model.state_dict().items()}))
        if self.n==self.steps: raise CancelFitException()

def run(ds, how, seed, steps, x_valid):
    "(steps, seconds, loss) of one training"
    dl = dl_ddpm(ds, bs, seed=seed, num_workers=1, drop_last=True)
    if how!='plain': dl = MultDL(dl, mult, echo=how.split()[-1], shuffle=0)
    snaps = Snapshots(steps)
    learn = fresh_learner(dl, seed, [snaps])
    learn.fit(1000, valid=False)
    curve = []
    for i,(secs,state) in enumerate(snaps.kept):
        learn.model.load_state_dict(state)
        curve.append(((i+1)*snaps.every, secs, eval_loss(learn.model, x_valid)))
    return curve

def reached(curve, target):
    "Steps and seconds at which the loss, as the median of three, has come down to `target`; None: not"
    med = [statistics.median(o[2] for o in curve[max(0,i-1):i+2]) for i in range(len(curve))]
    for i,(a,b) in enumerate(zip(med, med[1:])):
        if b<=target:
            k = min(1, max(0, (a-target)/(a-b))) if a>b else 1
            return [x+k*(y-x) for x,y in zip(curve[i][:2], curve[i+1][:2])]

def main(seeds=2, steps=200):
    torch.set_num_threads(1)
    dd = fashion_mnist(pad=2)
    train,x_valid = dd['train'].select(range(min(8192, len(dd['train'])))),dd['test'][:256]['image']
    probe = dl_ddpm(train, bs)
    step = step_seconds(fresh_learner(probe, 0), next(iter(probe)), n=20)
    tmp = tempfile.TemporaryDirectory()
    folder = Folder(png_folder(train, tmp.name, 2048, 420))
    png = load_seconds(dl_ddpm(folder, bs), n=4)[0]
    jobs = [(f'{c:g}', c, Waiting(train, c*step)) for c in (0,0.5,1,2,4)] + [('PNG', png/step, folder)]
    hows,curves = ('plain','echo batch','echo images'),{}
    for seed in range(seeds):
        for name,cost,ds in jobs:
            for how in hows if seed%2==0 else hows[::-1]:
                curves[name,how,seed] = run(ds, how, seed, steps if how=='plain' else 3*steps//2, x_valid)
                print(name, how, seed, f'{curves[name,how,seed][-1][1]:.1f} s', f'{curves[name,how,seed][-1][2]:.4f}', flush=True)
    rows = []
    for seed in range(seeds):
        target = statistics.median(o[2] for o in curves['0','plain',seed][-4:-1])
        for name,cost,_ in jobs:
            # each data set has a plain run of its own, and its target is what that reaches just before its end
            goal = statistics.median(o[2] for o in curves[name,'plain',seed][-4:-1]) if name=='PNG' else target
            for how in hows:
                at = reached(curves[name,how,seed], goal)
                rows.append(dict(cost=cost, name=name, how=how, seed=seed, target=goal, steps=at and at[0], seconds=at and at[1]))
    res = dict(date=str(date.today()), machine=f'{cpu_name()}, 2 cores, one learns and one loads', torch=torch.__version__, step_ms=1e3*step,
               png_ms=1e3*png, mult=mult, bs=bs, rows=rows)
    (results/'echo.json').write_text(json.dumps(res, indent=1))
    (here/'echo.md').write_text(table(res))
    print(table(res))

def table(res):
    "The result as Markdown"
    names = list(dict.fromkeys(r['name'] for r in res['rows']))
    out = [f"# Echoing: seconds to the same validation loss\n\n{res['date']}, {res['machine']}, torch {res['torch']}. A step of {res['bs']} images takes {res['step_ms']:.0f} ms; "
           f"echoes use each load {res['mult']} times. Means over {1+max(r['seed'] for r in res['rows'])} seeds, in brackets the gain over no echo in the same run for each seed.\n",
           '| loading costs | no echo | echoed batches | echoed images |', '|---|---|---|---|']
    for n in names:
        rows = [r for r in res['rows'] if r['name']==n]
        cells = []
        for how in ('plain','echo batch','echo images'):
            mine,base = [sorted((r for r in rows if r['how']==h), key=lambda r: r['seed']) for h in (how,'plain')]
            if any(r['seconds'] is None for r in mine): cells.append('not reached'); continue
            gains = ', '.join(f"{b['seconds']/a['seconds']:.2f}" for a,b in zip(mine, base) if b['seconds'])
            cells.append(f"{statistics.mean(r['seconds'] for r in mine):.1f} s, {statistics.mean(r['steps'] for r in mine):.0f} steps" + (f' ({gains})' if how!='plain' else ''))
        label = f"{rows[0]['cost']:.2g} steps" + (f", decoded PNG files ({res['png_ms']:.0f} ms)" if n=='PNG' else '')
        out.append(f'| {label} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(out)+'\n'

if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--seeds', type=int, default=2); p.add_argument('--steps', type=int, default=200)
    main(**vars(p.parse_args()))
