"""A step of style transfer, side by side: `python benchmarks/style.py [--sizes 256 512] [--rounds 7] [--threads 2] [--large 2000 3000] [--avx2] [--out style]`.

Every contestant calculates content and style loss of one picture with the same VGG16 and layers and the gradient for its pixels. They alternate in one process, after a
warm-up; the table has medians and the range of the middle half. Peak memory is the growth of the resident set in a process of its own. The limit is the sum of the
times of the convolutions (forward, and backward for the input) and of the matrix products of the Grams, each measured alone in the same precision: a step can't be faster
without better kernels for those. Writes benchmarks/style.md and style.json, or files of another name (--out). `--avx2` keeps the libraries from all instructions later
than AVX2, as on a processor that has no others: float32 on vectors of eight, and no 16 bits.
"""
import argparse, json, os, resource, statistics, subprocess, sys, time
from datetime import date
from functools import lru_cache
from pathlib import Path

os.environ.setdefault('MALLOC_MMAP_THRESHOLD_', str(1 << 30))
os.environ.setdefault('MALLOC_TRIM_THRESHOLD_', str(1 << 34))
if '--avx2' in sys.argv: os.environ.update(ONEDNN_MAX_CPU_ISA='AVX2', ATEN_CPU_CAPABILITY='avx2', MKL_ENABLE_INSTRUCTIONS='AVX2') # before torch is loaded, and for the processes begun here
import torch, torch.nn.functional as F
from lesson20.features import default_net, normalize, vgg16
from lesson20.precision import cpu_has_bf16
from lesson20.show import fit_image, sample_image
from lesson20.style import ContentLossToTarget, StyleLossToTarget, TiledLoss, content_target, gram
from machine import cpu_name

content_layers, style_layers = (18, 25), (1, 6, 11, 18, 25)
root = Path(__file__).resolve().parent

@lru_cache
def plain_net():
    "The network with its weights in the order in which torchvision has them"
    return vgg16().to(memory_format=torch.contiguous_format)

def walk(x, layers):
    "One pass of its own for whoever asks, as in the lesson"
    x, feats = normalize(x), []
    for i, layer in enumerate(plain_net()[:max(layers)+1]):
        x = layer(x)
        if i in layers: feats.append(x.clone())
    return feats

def plain_gram(f): return torch.einsum('bchw,bdhw->bcd', f, f)/f[0, 0].numel()

def lesson(content, style):
    "Two losses, each with a pass of its own"
    with torch.no_grad(): c, s = walk(content, content_layers), [plain_gram(f) for f in walk(style, style_layers)]
    def loss(x): return (sum(F.mse_loss(a, b) for a, b in zip(walk(x, content_layers), c))
                         + sum(F.mse_loss(plain_gram(a), b) for a, b in zip(walk(x, style_layers), s)))
    return loss

class PlainGram:
    "The Gram matrix by autograd"
    def measure(self, f, w=None): return plain_gram(f),
    def finish(self, g): return g

def ours(content, style, stat='gram', precision=None):
    "One pass for both losses"
    loss = ContentLossToTarget(content, content_layers)+StyleLossToTarget(style, style_layers, stat=stat)
    def f(x):
        with torch.autocast('cpu', torch.bfloat16, enabled=precision=='bf16'): return loss(x)
    return f

contestants = {'two passes, fp32 (the lesson)': lesson, 'one pass, fp32': lambda c, s: ours(c, s, PlainGram()), 'one pass and Gram, fp32 (lesson20)': ours,
               'two passes, bf16': lambda c, s: bf16(lesson(c, s)), 'one pass and Gram, bf16 (lesson20)': lambda c, s: ours(c, s, precision='bf16')}

def bf16(loss):
    def f(x):
        with torch.autocast('cpu', torch.bfloat16): return loss(x).float()
    return f

def step(loss, x):
    x = x.clone().requires_grad_()
    start = time.perf_counter()
    o = loss(x)
    o.backward()
    return time.perf_counter()-start, o.item()

def pictures(size): return sample_image('chelsea', size)[None], sample_image('coffee', size)[None]

def timed(f, n=7):
    f()
    ts = []
    for _ in range(n): t = time.perf_counter(); f(); ts.append(time.perf_counter()-t)
    return statistics.median(ts)

def limit(size, dtype):
    "Seconds of the convolutions and Gram products alone"
    total, x = 0., torch.rand(1, 3, size, size).to(dtype)
    for i, m in enumerate(default_net()[:26]):
        if isinstance(m, torch.nn.Conv2d):
            w, b, xin = m.weight.to(dtype), m.bias.to(dtype), x
            total += timed(lambda: F.conv2d(xin, w, b, padding=1))
            y = F.conv2d(xin, w, b, padding=1)
            back = lambda: torch.ops.aten.convolution_backward(y, xin, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, False, False])
            total += timed(back)
            x = y
        else: x = m(x)
        if i in style_layers:
            f = x.flatten(2)
            g = f@f.mT
            total += timed(lambda: f@f.mT)+timed(lambda: g@f)
    return total

def has_bf16():
    "Whether there are instructions for 16 bits: elsewhere a step takes minutes, and lesson20 computes in fp32"
    return cpu_has_bf16() and os.environ.get('ONEDNN_MAX_CPU_ISA')!='AVX2'

def dtypes(): return dict(fp32=torch.float32, bf16=torch.bfloat16) if has_bf16() else dict(fp32=torch.float32)

def rss(): return int(Path('/proc/self/statm').read_text().split()[1])*os.sysconf('SC_PAGE_SIZE')/2**20

def memory(name, size):
    "Growth in MiB of the peak resident set over one step, in a new process"
    out = subprocess.run([sys.executable, __file__, '--one', name, '--sizes', str(size), '--threads', str(torch.get_num_threads())], capture_output=True, text=True, check=True, cwd=root.parent)
    return float(out.stdout.split()[-1])

def one(name, size):
    c, s = pictures(size)
    loss = contestants[name](c, s)
    before = rss()
    step(loss, c)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024-before)

def large(h, w, precision):
    "One step for a large photograph in tiles: seconds and the peak of the whole process in GiB"
    im, style = fit_image(sample_image('astronaut'), (h, w)), sample_image('coffee', 512)
    loss = TiledLoss(content_target(im, (18,), relative=True)+StyleLossToTarget(style, relative=True), 512)
    with torch.autocast('cpu', torch.bfloat16, enabled=precision == 'bf16'): seconds, _ = step(loss, im)
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20)

def run_large(h, w, precision, threads):
    out = subprocess.run([sys.executable, __file__, '--large-one', str(h), str(w), precision, '--threads', str(threads)], capture_output=True, text=True, check=True, cwd=root.parent)
    return [float(o) for o in out.stdout.split()[-2:]]

def measure(size, rounds):
    c, s = pictures(size)
    losses = {k: f(c, s) for k, f in contestants.items() if has_bf16() or 'bf16' not in k}
    first = {k: step(l, c)[1] for k, l in losses.items()}
    times = {k: [] for k in losses}
    for _ in range(rounds):
        for k, l in losses.items(): times[k].append(step(l, c)[0])
    limits = {nm: limit(size, dt) for nm, dt in dtypes().items()}
    return dict(times=times, first=first, limits=limits, memory={k: memory(k, size) for k in losses})

def table(size, r):
    med = {k: statistics.median(v) for k, v in r['times'].items()}
    base, rows = med['two passes, fp32 (the lesson)'], []
    for k, v in r['times'].items():
        q = statistics.quantiles(v, n=4)
        lim = r['limits']['bf16' if 'bf16' in k else 'fp32']
        rows.append(f"| {k} | {1000*med[k]:.0f} ({1000*q[0]:.0f} to {1000*q[2]:.0f}) | {base/med[k]:.2f} | {lim/med[k]:.0%} | {r['memory'][k]:.0f} | {r['first'][k]:.4f} |")
    head = f"\n## {size} x {size}\n\n| | ms a step | times the lesson's way | of the limit | MiB | first loss |\n|-|-|-|-|-|-|\n"
    return head+'\n'.join(rows)+"\n\nLimits: "+', '.join(f"{k} {1000*v:.0f} ms, {base/v:.2f} times the lesson's way" for k, v in r['limits'].items())+'.\n'

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--sizes', type=int, nargs='*', default=[256, 512])
    p.add_argument('--rounds', type=int, default=7)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--large', type=int, nargs=2, default=(2000, 3000))
    p.add_argument('--avx2', action='store_true')
    p.add_argument('--out', default='style')
    p.add_argument('--one', help=argparse.SUPPRESS)
    p.add_argument('--large-one', nargs=3, help=argparse.SUPPRESS)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    if a.one: return one(a.one, a.sizes[0])
    if a.large_one: return large(int(a.large_one[0]), int(a.large_one[1]), a.large_one[2])
    results = {s: measure(s, a.rounds) for s in a.sizes}
    big = {k: run_large(*a.large, k, a.threads) for k in dtypes()} if a.large[0] else {}
    text = '\n'.join(table(s, r) for s, r in results.items())
    if big: text += f"\n## A photograph of {a.large[1]} x {a.large[0]}, in tiles of 512\n\n| | seconds a step | GiB at the peak, whole process |\n|-|-|-|\n"+'\n'.join(f'| {k} | {s:.0f} | {m:.2f} |' for k, (s, m) in big.items())+'\n'
    where = f"{date.today()}, {cpu_name()}{' held to AVX2' if a.avx2 else ''}, {a.threads} threads, torch {torch.__version__}, instructions for 16 bits: {'yes' if has_bf16() else 'no'}, {a.rounds} rounds, median (middle half)"
    (root/f'{a.out}.md').write_text(f'# A step of style transfer\n\n`benchmarks/style.py`, {where}.\n{text}', encoding='utf-8')
    (root/f'{a.out}.json').write_text(json.dumps(dict(where=where, sizes=results, large=big), indent=1), encoding='utf-8')
    print(text)

if __name__ == '__main__': main()
