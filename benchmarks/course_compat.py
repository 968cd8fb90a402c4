"""Run notebooks of fast.ai's course with this package in the place of its miniai, cell by cell, and say where they stop.

Give a checkout's folder of notebooks: `python benchmarks/course_compat.py course22p2/nbs [11_initializing 13_resnet ...]`; without names, all that import miniai
and come before `miniai.diffusion`. The lines `from miniai.x import *` become ours. The world is made small, for a CPU without a network: `load_dataset` gives
the first images of `fashion_mnist()`, a few large numbers are edited (`shrink`), and `.cuda()` is left out.
A cell that fails is noted with a reason, and the next one is run. Writes lesson20/assets/results/course_compat.json, keeping what is there of other notebooks, which the table in nbs/15_course_names.ipynb shows.
Needs the packages of the course: torcheval, fastprogress<1.1, timm, pytorch-fid, scipy. Saved models are read with pickle: use notebooks that you trust."""
import argparse,ast,json,os,re,sys,tempfile,time
from datetime import date
from importlib.metadata import version
from pathlib import Path
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError,DeadKernelError
from machine import results

lesson,theirs = 'from lesson20.all import *',re.compile(r'^( *)from miniai\.\w+ import \*', re.M)
shrink = [(r'\b(epochs *=|lr,epochs *= *[\d.e-]+,) *\d+', r'\1 1'), (r'\bn_steps *= *1000\b', 'n_steps=40'), (r'(n_steps = [\d.]+,[\d.]+),1000\b', r'\1,40'), (r'\.set_timesteps\(\d+\)', '.set_timesteps(10)'),
    (r'\bDDPMScheduler\(', 'DDPMScheduler(num_train_timesteps=40,'), (r'\bt = 999\b', 't = 39'), (r'L\.range\(0,1000,50\)\+\[975,990,999\]', 'L.range(0,40,10)'),
    (r'\((2048|512|256),( *1, *32, *32\))', r'(16,\2'), (r'\bn_samples = \d+', 'n_samples = 16'), (r'num_workers=(\d+|fc\.defaults\.cpus)', 'num_workers=2')]
world = '''
import os, matplotlib; matplotlib.use('agg')
import datasets, torch; torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', 1)))
def _load_dataset(name, *args, **kw):
    from lesson20.data import fashion_mnist
    import torchvision.transforms.functional as TF
    dd,sizes = fashion_mnist(),dict(train=N,test=N//2)
    feats = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=list(dd['train'].classes)))
    def part(ds, n): return datasets.Dataset.from_dict(dict(image=[TF.to_pil_image(o) for o in ds.images[:n]], label=ds.labels[:n].tolist()), features=feats)
    return datasets.DatasetDict({k:part(dd[k], n) for k,n in sizes.items()})
datasets.load_dataset = _load_dataset
'''

def edit(src, cuda):
    "The cell with our import, and small enough to run here"
    src = theirs.sub(rf'\1{lesson}', src)
    for a,b in shrink: src = re.sub(a, b, src)
    return src if cuda else src.replace('.cuda()', '')

def sets(src):
    "Names that a cell would have set; '*' for all of ours"
    if lesson in src: return {'*'}
    try: tree = ast.parse(re.sub(r'^[%!].*$', '', src, flags=re.M))
    except SyntaxError: return set()
    imported = {a.asname or a.name for o in ast.walk(tree) if isinstance(o, (ast.Import,ast.ImportFrom)) for a in o.names}
    return imported | {o.id for o in ast.walk(tree) if isinstance(o, ast.Name) and isinstance(o.ctx, ast.Store)} | {o.name for o in tree.body if hasattr(o, 'name')}

def reason(name, value, lost):
    "Why a cell failed, in a word"
    if name in ('ModuleNotFoundError','ImportError'): return 'package' if 'lesson20' not in value else 'ours'
    if name=='FileNotFoundError': return 'file'
    if name=='TooSlow': return 'time'
    if any(o in value.lower() for o in ('urlopen','resolve host','connection','huggingface.co')): return 'network'
    if name=='NameError' and ('*' in lost or any(f"'{o}'" in value for o in lost)): return 'follows'
    return 'ours'

def run(path, work, n, limit, cuda):
    "Run all code cells; a dict for the result"
    nb = nbformat.read(path, 4)
    cells = [o for o in nb.cells if o.cell_type=='code' and o.source.strip() and 'nbdev_export' not in o.source]
    client = NotebookClient(nb, timeout=limit, allow_errors=True, interrupt_on_timeout=True, kernel_name='python3', resources={'metadata':{'path':str(work)}})
    failed,lost,start = [],set(),time.time()
    with client.setup_kernel():
        first = nbformat.v4.new_code_cell(f'N = {n}\n{world}')
        nb.cells.append(first)
        client.timeout = None
        client.execute_cell(first, len(nb.cells)-1)
        client.timeout = limit
        assert not [o for o in first.outputs if o.output_type=='error'], first.outputs
        for i,cell in enumerate(cells):
            cell.source = edit(cell.source, cuda)
            began,error = time.time(),None
            try: client.execute_cell(cell, i)
            except (CellTimeoutError,DeadKernelError) as e: error = (type(e).__name__,str(e))
            for o in cell.outputs:
                if o.output_type=='error': error = (o.ename,o.evalue)
            if not error: lost -= sets(cell.source); continue
            if time.time()-began>limit: error = ('TooSlow',f'over {limit} s')
            failed.append(dict(cell=i+1, error=error[0], message=error[1].split('\n')[0][:160], reason=reason(*error, lost)))
            lost |= sets(cell.source)
            print(path.stem, i+1, error[0], error[1][:300], flush=True)
    return dict(notebook=path.stem, cells=len(cells), ran=len(cells)-len(failed), seconds=round(time.time()-start), failed=failed)

def main():
    "Command line"
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('folder', type=Path); p.add_argument('names', nargs='*'); p.add_argument('--images', type=int, default=256)
    p.add_argument('--limit', type=int, default=300, help='seconds for a cell'); p.add_argument('--work', type=Path, help='working folder, kept; it holds saved models')
    a = p.parse_args()
    os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1' # the notebooks load whole models that they have pickled
    import torch
    names = a.names or [o.stem for o in sorted(a.folder.glob('[0-9]*.ipynb')) if theirs.search(t:=o.read_text(encoding='utf-8')) and 'miniai.diffusion' not in t]
    work = a.work or Path(tempfile.mkdtemp())
    (work/'models').mkdir(parents=True, exist_ok=True)
    res = dict(date=str(date.today()), images=a.images, device='GPU' if torch.cuda.is_available() else 'CPU',
        versions={o:version(o) for o in ('torch','datasets','diffusers','fastcore')}, python=sys.version.split()[0])
    out = results/'course_compat.json'
    rows = {o['notebook']:o for o in json.loads(out.read_text())['notebooks']} if out.exists() else {}
    for name in names:
        r = rows[name] = run(a.folder/f'{name}.ipynb', work, a.images, a.limit, torch.cuda.is_available())
        out.write_text(json.dumps({**res, 'notebooks':[rows[o] for o in sorted(rows)]}, indent=1)+'\n', encoding='utf-8')
        print(f"{name}: {r['ran']} of {r['cells']} cells, {r['seconds']} s; {[(f['cell'],f['reason']) for f in r['failed']]}", flush=True)

if __name__=='__main__': main()
