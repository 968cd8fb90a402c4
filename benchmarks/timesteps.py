"""Validation loss in each quarter of the schedule, for every way to choose and weigh the steps of training, at equal compute.

A small UNet on Fashion-MNIST predicts noise of the linear schedule. For a seed all ways begin with the same weights and see the same images in the same
order, for equally many steps; the losses are plain mean squared errors on the same test images, steps and noise for all. Finished runs are kept in the
result, so that the benchmark may be stopped and started again. `python benchmarks/timesteps.py [--seeds 4] [--steps 400]` writes timesteps.md and, for notebook
07, lesson20/assets/results/timesteps.json."""
import argparse,json,statistics,time
from datetime import date
from functools import partial
from pathlib import Path
import torch
from torch import optim
from torch.optim.lr_scheduler import OneCycleLR
from lesson20.data import DataLoaders,fashion_mnist,image_dl
from lesson20.ddpm import UNet,init_ddpm
from lesson20.learner import *
from lesson20.sampling import *
from machine import cpu_name,results

here,bs,lr = Path(__file__).parent,32,5e-3
line = linear_schedule()
ways = {'uniform': lambda: dict(steps=Uniform()),
        'stratified': lambda: dict(steps=Stratified()),
        'importance': lambda: dict(steps=Importance()),
        'min-SNR weights': lambda: dict(steps=Stratified(), weight=min_snr_weight(line.alphabar)),
        "cosine's levels": lambda: dict(steps=Weighted(probs_like(line, cosine_schedule()), unbiased=False))}

def train(way, seed, steps, ds):
    "A network, and the seconds its training took"
    n = min(len(ds), steps*bs)
    dls = DataLoaders(image_dl(ds.select(range(n)), bs, shuffle=True, seed=seed, drop_last=True), [])
    torch.manual_seed(seed)
    model = UNet(block_out_channels=(16,32,64), layers_per_block=1, attn_levels=0)
    init_ddpm(model)
    epochs = -(-steps//len(dls.train))
    sched = partial(OneCycleLR, max_lr=lr, total_steps=epochs*len(dls.train), pct_start=0.25, cycle_momentum=False)
    cbs = [TrainCB(), NoiseCB(line, **ways[way]()), GradClipCB(1.), BatchSchedCB(sched)]
    start = time.perf_counter()
    Learner(model, dls, weighted_mse, lr=lr, opt_func=partial(optim.Adam, eps=1e-5, betas=(0.9,0.99)), cbs=cbs).fit(epochs, valid=False)
    return model,time.perf_counter()-start

def main(seeds=4, steps=400, n_valid=1024):
    torch.set_num_threads(1)
    dd,out = fashion_mnist(pad=2),results/'timesteps.json'
    x_valid,setting = dd['test'][:n_valid]['image'],dict(steps=steps, n_valid=n_valid)
    res = json.loads(out.read_text()) if out.exists() else {}
    if res.get('setting')!=setting: res = dict(setting=setting, rows=[])
    for seed in range(seeds):
        for way in list(ways)[::1 if seed%2==0 else -1]:
            if any((r['way'],r['seed'])==(way,seed) for r in res['rows']): continue
            model,secs = train(way, seed, steps, dd['train'])
            res['rows'].append(dict(way=way, seed=seed, secs=secs, quarters=loss_by_step(model, x_valid, 4, line).tolist()))
            res |= dict(date=str(date.today()), machine=f'{cpu_name()}, 1 thread', torch=torch.__version__)
            out.write_text(json.dumps(res, indent=1)); (here/'timesteps.md').write_text(table(res))
            print(way, seed, f'{secs:.0f} s', [round(o, 4) for o in res['rows'][-1]['quarters']], flush=True)
    print(table(res))

def table(res):
    "The result as Markdown"
    seeds,(steps,n) = sorted({r['seed'] for r in res['rows']}),res['setting'].values()
    out = [f"# The steps to learn from: loss in each quarter of the schedule\n\n{res['date']}, {res['machine']}, torch {res['torch']}. {steps} steps of {bs} images, {n} test images; "
           f"mean (standard deviation) of {len(seeds)} seeds. The last column is the mean loss over that of uniform steps, for each seed.\n",
           '| way | t < 250 | 250 to 499 | 500 to 749 | 750 to 999 | mean | share of t < 250 | over uniform |', '|---|---|---|---|---|---|---|---|']
    def said(o): return f'{statistics.mean(o):.4f}' + (f' ({statistics.stdev(o):.4f})' if len(o)>1 else '')
    by = {(r['way'],r['seed']):r['quarters'] for r in res['rows']}
    for way in ways:
        qs = [by[way,s] for s in seeds if (way,s) in by]
        if not qs: continue
        means = [statistics.mean(q) for q in qs]
        ratios = ', '.join(f"{statistics.mean(by[way,s])/statistics.mean(by['uniform',s]):.3f}" for s in seeds if (way,s) in by and ('uniform',s) in by)
        out.append(f'| {way} | ' + ' | '.join(said([q[k] for q in qs]) for k in range(4)) + f' | {said(means)} | {statistics.mean(q[0]/sum(q) for q in qs):.0%} | {ratios} |')
    return '\n'.join(out)+'\n'

if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--seeds', type=int, default=4); p.add_argument('--steps', type=int, default=400)
    main(**vars(p.parse_args()))
