"""Make the pictures and the small Fashion-MNIST that travel with the package: `python tools/make_assets.py [folder of Fashion-MNIST]`.

Needs scikit-image (for its photographs) and the real Fashion-MNIST, which is looked for where `lesson20.data.fashion_mnist` looks. Running it again writes the same files.
NOTICE holds sources and licences.
"""
import io, sys
from pathlib import Path
import numpy as np
from PIL import Image

assets = Path(__file__).resolve().parent.parent/'lesson20'/'assets'
photos = dict(astronaut='astronaut.png', chelsea='chelsea.png', coffee='coffee.png', hubble='hubble_deep_field.jpg', brick='brick.png', gravel='gravel.png', grass='grass.png')
textures = 'bubbles', 'dots', 'interlace', 'honeycomb', 'cobweb', 'chequer', 'swirl', 'weave'

def jpeg(im, limit=150_000, **kw):
    "The best JPEG of `im` under `limit` bytes; `kw` goes to `Image.save`"
    for quality in range(95, 40, -3):
        f = io.BytesIO()
        im.save(f, 'JPEG', quality=quality, optimize=True, **kw)
        if f.tell() < limit: return f.getvalue()
    raise ValueError(f'no quality brings {im.size} under {limit} bytes')

def make_photos():
    "Photographs from scikit-image, at most 512 pixels wide and high"
    import skimage
    (assets/'samples').mkdir(parents=True, exist_ok=True)
    for name, file in photos.items():
        im = Image.open(Path(skimage.__file__).parent/'data'/file)
        im = im.convert('RGB' if im.mode == 'RGB' else 'L')
        im.thumbnail((512, 512), Image.LANCZOS)
        (assets/'samples'/f'{name}.jpg').write_bytes(jpeg(im))

def make_paintings():
    "The style images and the textures that lesson20.paint paints"
    from lesson20 import paint
    from lesson20.show import to_uint8
    calls = dict(strokes=('flow_strokes', {}), wheat=('flow_strokes', dict(palette='wheat')), glass=('stained_glass', {}), web=('spider_web', {}), waves=('waves', {}), scales=('scales', {}))
    calls |= {name: (name, {}) for name in textures}
    for name, (f, kw) in calls.items():
        im = Image.fromarray(to_uint8(getattr(paint, f)(512, **kw)))
        opts = dict(limit=100_000, subsampling=0) if name in textures else {} # colour of half the resolution shows as a seam
        (assets/'samples'/f'{name}.jpg').write_bytes(jpeg(im, **opts))

def first_of_each(images, labels, n):
    "The first `n` images of each class in the order 0, 1, ..., 9, 0, 1, ..."
    idxs = np.stack([np.flatnonzero(labels == c)[:n] for c in range(10)], 1)
    return images[idxs.ravel()]

def make_fashion(path=None):
    "One sheet of 50 x 50 garments: 40 rows to train on, 10 rows to test; the label is the column modulo 10"
    from lesson20.data import fashion_mnist
    dd = fashion_mnist(path)
    if len(dd['train']) != 60_000: raise SystemExit('the real Fashion-MNIST was not found: give its folder')
    parts = [first_of_each(dd[k].images[:, 0].numpy(), dd[k].labels.numpy(), n) for k, n in (('train', 200), ('test', 50))]
    sheet = np.concatenate(parts).reshape(50, 50, 28, 28).transpose(0, 2, 1, 3).reshape(1400, 1400)
    Image.fromarray(sheet).save(assets/'fashion_mnist.png', optimize=True)

if __name__ == '__main__':
    make_photos()
    make_paintings()
    make_fashion(*sys.argv[1:2])
    for p in sorted(assets.rglob('*.*')): print(f'{p.stat().st_size:9,} {p.relative_to(assets)}')
