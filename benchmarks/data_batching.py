"""A batch of 128 garments, in one piece and item by item: `python benchmarks/data_batching.py [--write]`.

One run measures, in turns, so that whatever else the computer does meets all of them alike:
- lesson20: `ImageData` through `image_dl` (its `__getitems__` makes the batch by one indexing operation)
- lesson20, item by item: the same dataset behind a wrapper that hides `__getitems__`
- bare tensors, item by item: the leanest dataset that indexes and divides for each item
- torchvision, item by item: `FashionMNIST`'s way, a PIL image and `ToTensor` for each item
Milliseconds a batch are medians with the quartiles. `--write` stores the table beside this file.
"""
import platform, sys, time
from pathlib import Path
from statistics import quantiles
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.transforms.functional import to_tensor
from lesson20.data import fashion_mnist, image_dl
from machine import cpu_name

class Items(Dataset):
    "A dataset whose item `i` is `f(i)`"
    def __init__(self, ds, f): self.ds, self.f, self.features = ds, f, ds.features
    def __len__(self): return len(self.ds)
    def __getitem__(self, i): return self.f(i)

def main(rounds=30, batches=20, bs=128):
    "Time all in turns; the rows of the table"
    ds = fashion_mnist()['train']
    x, y = ds.images, ds.labels.tolist()
    kinds = {'lesson20, in one piece': ds, 'lesson20, item by item': Items(ds, lambda i: ds[i]),
             'bare tensors, item by item': Items(ds, lambda i: {'image': x[i].float()/255, 'label': y[i]}),
             'torchvision, item by item': Items(ds, lambda i: {'image': to_tensor(Image.fromarray(x[i, 0].numpy(), mode='L')), 'label': y[i]})}
    kinds = {k: image_dl(d, bs, shuffle=True) for k, d in kinds.items()}
    times = {k: [] for k in kinds}
    want = {k: next(iter(dl)) for k, dl in kinds.items()}
    assert all(torch.equal(a, b) for v in want.values() for a, b in zip(v, want['lesson20, in one piece'])), 'the batches differ'
    for _ in range(rounds):
        for k, dl in kinds.items():
            it = iter(dl)
            next(it)
            t0 = time.perf_counter()
            for _ in range(batches): next(it)
            times[k].append((time.perf_counter()-t0)/batches*1e3)
    q = {k: quantiles(v, n=4) for k, v in times.items()}
    base = q['lesson20, in one piece'][1]
    return [(k, *v, v[1]/base) for k, v in q.items()]

def table(rows):
    "The rows as Markdown"
    head = '| batch of 128 | median, ms | quartiles, ms | times |\n|---|---|---|---|\n'
    return head+'\n'.join(f'| {k} | {m:.2f} | {a:.2f} to {b:.2f} | {r:.1f} |' for k, a, m, b, r in rows)

if __name__ == '__main__':
    torch.set_num_threads(1)
    text = table(main())
    print(text)
    if '--write' in sys.argv:
        about = f'{time.strftime("%Y-%m-%d")}, {cpu_name()}, 1 thread, Python {platform.python_version()}, torch {torch.__version__}'
        Path(__file__).with_suffix('.md').write_text(f'# A batch of 128 garments\n\n{about}\n\n{text}\n')
