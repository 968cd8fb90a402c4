#!/usr/bin/env python3
"""Train the classifier whose features FID and KID are made of, `lesson20/assets/fashion_classifier.safetensors`, on Fashion-MNIST.

    python tools/train_classifier.py --out DIR [--epochs N] [--data FOLDER]

Stopped at any time, the same command goes on from its last checkpoint. Images are 32 x 32 in 0..1; in training they are mirrored
and shifted by up to 2 pixels at random.
"""
import argparse
from functools import partial
from pathlib import Path
import torch, torch.nn.functional as F
from torch import nn,optim
from torch.optim.lr_scheduler import OneCycleLR
from lesson20.data import DataLoaders,fashion_mnist,image_dl
from lesson20.learner import *
from lesson20.precision import MixedPrecision
from lesson20.sampling import GarmentNet

def augment(b, most=2):
    "Mirror half of the images, shift each by up to `most` pixels"
    x,y = b
    n,_,h,w = x.shape
    x = torch.where(torch.rand(n,1,1,1)<0.5, x.flip(-1), x)
    i,j = [torch.arange(s)+torch.randint(0, 2*most+1, (n,1)) for s in (h,w)]
    return F.pad(x, (most,)*4)[torch.arange(n)[:,None,None,None],0,i[:,None,:,None],j[:,None,None,:]], y

def export(model, path):
    "Write fp16 safetensors"
    from safetensors.torch import save_file
    save_file({k:(v.half() if v.is_floating_point() else v).contiguous() for k,v in model.state_dict().items()}, path)

def main(out, epochs, data, bs, lr, seed):
    out = Path(out); out.mkdir(parents=True, exist_ok=True)
    dd = fashion_mnist(data, pad=2)
    dls = DataLoaders(image_dl(dd['train'], bs, shuffle=True, seed=seed), image_dl(dd['test'], 500))
    set_seed(seed)
    model = GarmentNet()
    sched = partial(OneCycleLR, max_lr=lr, total_steps=epochs*len(dls.train), pct_start=0.25)
    cbs = [MixedPrecision(dtype=torch.bfloat16), DeviceCB('cpu'), BatchTransformCB(augment, on_val=False), BatchSchedCB(sched), CheckpointCB(out/'run.pt', every=200),
           MetricsCB(accuracy=MulticlassAccuracy()), ProgressCB()]
    learn = Learner(model, dls, partial(F.cross_entropy, label_smoothing=0.05), lr=lr, cbs=cbs, opt_func=partial(optim.AdamW, weight_decay=0.02))
    learn.fit(epochs)
    export(model, out/'fashion_classifier.safetensors')

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--out', required=True, help='folder for checkpoint and weights')
    p.add_argument('--epochs', type=int, default=10)
    p.add_argument('--data', default='/usr/share/datasets/fashion-mnist', help='folder with the four idx files')
    p.add_argument('--bs', type=int, default=128)
    p.add_argument('--lr', type=float, default=3e-3)
    p.add_argument('--seed', type=int, default=0)
    main(**vars(p.parse_args()))
