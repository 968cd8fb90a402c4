"""FID and KID against the number of passes through the network, for every sampler, from one trained model: the UNet of this package.

Features are those of `fashion_classifier()`, compared with all training images; the floor is the same number of real test images. Each batch of 128 has its own
seed, the same for all samplers. Finished batches are kept in --keep, so that the run may be stopped and started again.
`python benchmarks/sampling.py [--n 512] [--full_n 2048]` writes sampling.md and, for notebook 07,
lesson20/assets/results/sampling.json."""
import argparse,json,time
from datetime import date
from functools import partial
from pathlib import Path
import torch
from lesson20.data import fashion_mnist
from lesson20.ddpm import fashion_unet,sample
from lesson20.precision import best_dtype
from lesson20.sampling import fashion_classifier,features,fid,kid,samplers
from machine import cpu_name,results

here,bs = Path(__file__).parent,128

def batches(f, name, n, keep):
    "`n` drawn images as bytes, from files where they are there"
    out = []
    for i in range(-(-n//bs)):
        if not (p := keep/f'{name}-{i}.pt').exists():
            start = time.time()
            with torch.autocast('cpu', best_dtype('cpu'), enabled=best_dtype('cpu')!=torch.float32): x = f(generator=torch.Generator().manual_seed(i))[-1]
            torch.save((x.clamp(0,1)*255).round().byte(), p.with_suffix('.tmp'))
            p.with_suffix('.tmp').replace(p)
            print(name, i, f'{time.time()-start:.0f} s', flush=True)
        out.append(torch.load(p, weights_only=True))
    return torch.cat(out)[:n].float()/255

def judged(f, real):
    "FID and KID of features, and the spread over halves"
    halves = [fid(o, real) for o in f.chunk(2)]
    return dict(n=len(f), fid=fid(f, real), kid=kid(f, real[:10_000]), halves=halves)

def main(n=512, full_n=2048, keep='.sampling'):
    keep = Path(keep)
    keep.mkdir(exist_ok=True)
    dd,net,model = fashion_mnist(pad=2),fashion_classifier(),fashion_unet()
    real,test = [features(dd[k][:]['image'], net) for k in ('train','test')]
    feats = lambda x: features(x, net)
    rows = [dict(sampler='real test images', calls=0, **judged(test[:k], real)) for k in sorted({n,full_n})]
    drawn = feats(batches(partial(sample, model, (bs,1,32,32)), 'full-1000', full_n, keep))
    rows += [dict(sampler='ddpm', calls=1000, **judged(drawn[:k], real)) for k in sorted({n,full_n})]
    for calls in (20,10,5,50,100):
        for name,f in samplers.items():
            k = full_n if calls==20 else n
            got = feats(batches(partial(f, model, (bs,1,32,32), calls), f'{name}-{calls}', k, keep))
            rows += [dict(sampler=name, calls=calls, **judged(got[:m], real)) for m in sorted({n,k})]
        res = dict(date=str(date.today()), machine=f'{cpu_name()}, {torch.get_num_threads()} thread', torch=torch.__version__, rows=rows)
        (results/'sampling.json').write_text(json.dumps(res, indent=1))
        (here/'sampling.md').write_text(table(res))
    print(table(res))

def table(res):
    "The result as Markdown"
    out = [f"# FID and KID by sampler and passes through the network\n\n{res['date']}, {res['machine']}, torch {res['torch']}. By the package's classifier, against all training images.\n",
           '| sampler | passes | n | FID (its two halves) | times DDPM-1000 | KID x 1000 |', '|---|---|---|---|---|---|']
    base = {r['n']:r['fid'] for r in res['rows'] if r['calls']==1000}
    for r in sorted(res['rows'], key=lambda r: (r['n'], r['calls'], r['sampler'])):
        out.append(f"| {r['sampler']} | {r['calls'] or ''} | {r['n']} | {r['fid']:.2f} ({r['halves'][0]:.2f}, {r['halves'][1]:.2f}) | {r['fid']/base[r['n']]:.2f} | {1e3*r['kid']:.1f} |")
    return '\n'.join(out)+'\n'

if __name__=='__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--n', type=int, default=512); p.add_argument('--full_n', type=int, default=2048); p.add_argument('--keep', default='.sampling')
    main(**vars(p.parse_args()))
