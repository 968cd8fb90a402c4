#!/usr/bin/env python3
"""The lesson's recipe for a small diffusion model and a better one, at equal time on the clock.

    python benchmarks/ddpm_recipe.py                      # writes ddpm_recipe.md and .json beside this file; 20 to 30 minutes on 2 cores
    python benchmarks/ddpm_recipe.py --steps 20 --out DIR # a quick try

The lesson's recipe trains for `--steps` batches of 128: `init_ddpm`, Adam with eps 1e-5, OneCycle to 5e-3, diffusers' usual UNet. Ours
gets the time that these take, and not more. A computer's speed drifts, so the two take turns, some seconds each, within one process, and
ours never gets ahead of the time that the lesson's has taken. Its rate follows the share of that time which is used up, and so it comes
down to zero just when the time is over, however many steps that makes.

The yardstick is the loss of the predicted noise on 1024 test images with fixed steps and fixed noise: `eval_loss`. One draw of steps and
noise is off by some 5%, for every model to the same side, so eight draws are averaged. The time for it counts for nobody."""
import argparse,datetime,json,math,os,time
from pathlib import Path
from machine import cpu_name
import torch, torch.nn.functional as F
from torch import nn,optim
from torch.optim.lr_scheduler import OneCycleLR
from lesson20.data import fashion_mnist
from lesson20.ddpm import UNet,alphabar,eval_loss,init_ddpm,noisify

here,turn = Path(__file__).resolve().parent,12. # seconds that each trains before it is the other's turn

def batches(x, bs, seed):
    "Endless shuffled batches of floats in 0..1"
    g = torch.Generator().manual_seed(seed)
    while True:
        for idxs in torch.randperm(len(x), generator=g).split(bs):
            if len(idxs)==bs: yield x[idxs]/255.

class Recipe:
    "A model in training, with the seconds it has taken"
    def __init__(self, x, seed, model, bs, lr, **kw):
        self.model,self.bs,self.dl,self.seconds,self.losses = model,bs,batches(x, bs, seed),0.,[]
        self.opt = optim.Adam(model.parameters(), lr, eps=1e-5, **kw)
    def timed(self, **kw):
        "One step, its time and its loss added to what was"
        start = time.perf_counter()
        self.losses.append(self.step(**kw))
        self.seconds += time.perf_counter()-start

class Lesson(Recipe):
    name = "the lesson's"
    def __init__(self, x, steps, seed):
        torch.manual_seed(seed)
        super().__init__(x, seed, UNet(), 128, 5e-3)
        init_ddpm(self.model)
        self.steps,self.sched = steps,OneCycleLR(self.opt, max_lr=5e-3, total_steps=steps+1)
    @property
    def done(self): return len(self.losses)>=self.steps
    def step(self):
        "One step"
        xt_t,eps = noisify(next(self.dl), alphabar)
        loss = F.mse_loss(self.model(xt_t), eps)
        loss.backward(); self.opt.step(); self.opt.zero_grad(); self.sched.step()
        return loss.item()

class Ours(Recipe):
    name = 'ours'
    def __init__(self, x, seed, bs=32, lr=5e-3, up=0.25):
        torch.manual_seed(seed)
        model = UNet(attn_levels=1)
        init_ddpm(model)
        super().__init__(x, seed, model, bs, lr, betas=(0.9,0.99), fused=True)
        self.lr,self.up = lr,up
    def rate(self, p):
        "OneCycle at the share `p` of the time: up to `lr` and down to zero along two half cosines"
        return self.lr*(1-math.cos(math.pi*p/self.up))/2 if p<self.up else self.lr*(1+math.cos(math.pi*(p-self.up)/(1-self.up)))/2
    def step(self, p):
        "One step: bfloat16, spread t, clipped gradients"
        for pg in self.opt.param_groups: pg['lr'] = self.rate(p)
        xt_t,eps = noisify(next(self.dl), alphabar, spread=True)
        with torch.autocast('cpu', torch.bfloat16): pred = self.model(xt_t)
        loss = F.mse_loss(pred.float(), eps)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.)
        self.opt.step(); self.opt.zero_grad()
        return loss.item()

def warm_up(x):
    "First calls are slow: let both make some, on models that are thrown away"
    pair = Lesson(x, 2, 0),Ours(x, 0)
    for _ in range(2): pair[0].step(); pair[1].step(0.5)

def race(lesson, ours):
    "Train both in turns; ours gets the seconds that the lesson's has taken"
    shown = time.time()
    while not lesson.done or ours.seconds<lesson.seconds:
        end = lesson.seconds+turn
        while not lesson.done and lesson.seconds<end: lesson.timed()
        budget = lesson.seconds*lesson.steps/len(lesson.losses)
        while ours.seconds<lesson.seconds: ours.timed(p=ours.seconds/budget)
        if time.time()-shown>60:
            for r in (lesson,ours):
                print(f'{r.name}: {len(r.losses)} steps, {r.seconds:.0f} s, loss {sum(r.losses[-50:])/len(r.losses[-50:]):.4f}', flush=True)
            shown = time.time()

def table(r):
    rows = ["| recipe | steps | images a step | seconds | loss | each of the draws | draw of notebook 03 |", "|---|--:|--:|--:|--:|--:|--:|"]
    rows += [f"| {o['name']} | {o['steps']} | {o['batch']} | {o['seconds']:.0f} | **{o['loss']:.4f}** | "
             f"{min(o['draws']):.4f} to {max(o['draws']):.4f} | {o['notebook']:.4f} |" for o in r['recipes']]
    return f"""# A small diffusion model: the lesson's recipe and ours in the same time

{r['date']}, {r['machine']}, {r['threads']} threads, PyTorch {r['torch']}, {r['data']}. Written by `benchmarks/ddpm_recipe.py`.

{chr(10).join(rows)}

Loss of the predicted noise on {r['n_valid']} test images with uniform t and fixed noise, mean of {len(r['recipes'][0]['draws'])} draws of
both. Both begin with `init_ddpm` and train on 32 x 32 pixels in 0..1 with beta from 1e-4 to 0.02 in 1000 steps; their turns alternate in
one process, and ours stops when it has taken as long as the lesson's. A step of the lesson's takes {r['step_seconds'][0]:.2f} s, one of
ours {r['step_seconds'][1]:.3f} s.

What differs in ours: attention at the lowest level only, batches of 32, bfloat16, t spread over the batch, gradients clipped at 1,
Adam's second beta 0.99, a peak of OneCycle at a quarter.
"""

def losses(model, x):
    "Mean and each of eight draws of steps and noise, and the draw of the notebook"
    draws = [eval_loss(model, x, seed=o) for o in range(8)]
    return dict(loss=sum(draws)/len(draws), draws=draws, notebook=eval_loss(model, x))

def main(steps, out, seed, n_valid):
    dd = fashion_mnist(pad=2)
    x,x_valid = dd['train'].images,dd['test'][:n_valid]['image']
    warm_up(x)
    both = lesson,ours = Lesson(x, steps, seed),Ours(x, seed)
    race(lesson, ours)
    res = dict(date=str(datetime.date.today()), machine=f'{os.cpu_count()} cores of {cpu_name()}',
               threads=torch.get_num_threads(), torch=torch.__version__,
               data=f"{len(x):,} training images", n_valid=n_valid, step_seconds=[r.seconds/len(r.losses) for r in both],
               recipes=[dict(name=r.name, steps=len(r.losses), batch=r.bs, seconds=r.seconds, **losses(r.model, x_valid),
                             curve=[round(sum(r.losses[i:i+20])/20,5) for i in range(0, len(r.losses)-19, 20)]) for r in both])
    out = Path(out); out.mkdir(parents=True, exist_ok=True)
    (out/'ddpm_recipe.json').write_text(json.dumps(res, indent=1)+'\n')
    (out/'ddpm_recipe.md').write_text(table(res))
    print(table(res))

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=315, help="steps of the lesson's recipe")
    p.add_argument('--out', default=here, help='folder for the results')
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--n_valid', type=int, default=1024, help='test images for the yardstick')
    main(**vars(p.parse_args()))
