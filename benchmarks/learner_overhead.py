#!/usr/bin/env python3
"""What a training loop costs beyond the bare one: lesson20 beside Fabric, accelerate, ignite, fastai and Lightning, in one run.

    python benchmarks/learner_overhead.py                     # all that is installed; writes learner_overhead.md and .json beside this file
    python benchmarks/learner_overhead.py --python PEERS/bin/python --rounds 21
    python benchmarks/learner_overhead.py --parts             # lesson20 only, with one callback after the other

Every contestant trains the same `nn.Linear(16,1)` with the same `torch.optim.SGD` on the same `DataLoader` (batches of 32 from memory), in a process
of its own at a pseudo-terminal. In each round every process runs the bare loop and its contestant, one directly after the other, and the order
changes from round to round. The figure is the difference of the two: the median over the rounds, with the middle half of them as its spread.
The clock sits in the loader's batch sampler, so that setting up, the first batches and the end of the epoch count for nobody."""
import argparse,datetime,json,os,platform,pty,random,statistics,subprocess,sys,threading,time
from importlib import metadata,util
from pathlib import Path
from machine import cpu_name

n_skip = 60 # batches before the clock starts
here = Path(__file__).resolve().parent

class ClockedBatches:
    "Indices of batches in order; `seconds` and `cpu` are the time from asking for batch `n_skip` to asking for the last, on the wall and of the processor"
    def __init__(self, n, bs): self.n,self.bs,self.seconds = n,bs,None
    def __len__(self): return self.n
    def __iter__(self):
        for i in range(self.n):
            if i == n_skip: start,cpu = time.perf_counter(),time.process_time()
            if i == self.n-1: self.seconds,self.cpu = time.perf_counter()-start,time.process_time()-cpu
            yield list(range(i*self.bs, (i+1)*self.bs))

class Setup:
    "Data, and a fresh model and optimiser for each run"
    def __init__(self, batches):
        import torch
        from torch.utils.data import DataLoader,TensorDataset
        torch.manual_seed(0)
        self.clock,bs = ClockedBatches(batches, 32),32
        x = torch.randn(batches*bs, 16)
        ds = TensorDataset(x, x.sum(1, keepdim=True))
        self.train,self.valid = DataLoader(ds, batch_sampler=self.clock),DataLoader(TensorDataset(*ds[:bs]), bs)
    def fresh(self):
        import torch
        torch.manual_seed(0)
        model = torch.nn.Linear(16,1)
        return model,torch.optim.SGD(model.parameters(), lr=0.01)

def bare(s):
    "The loop without anything"
    import torch.nn.functional as F
    model,opt = s.fresh()
    for xb,yb in s.train:
        F.mse_loss(model(xb), yb).backward()
        opt.step()
        opt.zero_grad()

def by_hand(s, prepare=lambda *o: o, backward=lambda loss: loss.backward(), extras=True):
    "The loop with a device, a mean loss and a tqdm bar, written out; `prepare` and `backward` are what Fabric and accelerate replace"
    import torch.nn.functional as F
    from tqdm import tqdm
    model,opt,dl = prepare(*s.fresh(), s.train)
    total,n = 0.,0
    bar = tqdm(total=len(s.train), disable=not extras)
    for xb,yb in dl:
        if extras and dl is s.train: xb,yb = xb.to('cpu'),yb.to('cpu')
        loss = F.mse_loss(model(xb), yb)
        backward(loss)
        opt.step()
        opt.zero_grad()
        if extras:
            total,n = total+loss.detach()*len(xb),n+len(xb)
            bar.update()
    bar.close()
    return float(total)/max(n,1)

def lesson20(s, parts=('Device','Metrics','Progress')):
    "Learner with TrainCB, DeviceCB, MetricsCB, ProgressCB"
    import torch
    from lesson20 import learner as L
    from lesson20.data import DataLoaders
    cbs = [L.TrainCB()] + [dict(Device=lambda: L.DeviceCB('cpu'), Metrics=L.MetricsCB, Progress=lambda: L.ProgressCB(mode='terminal'))[o]() for o in parts]
    L.Learner(s.fresh()[0], DataLoaders(s.train, s.valid), lr=0.01, cbs=cbs, opt_func=torch.optim.SGD).fit(1)

def course(s):
    "The dispatch of the course's learner as it is taught: sort the callbacks and look the method up, at each event"
    import torch.nn.functional as F
    from contextlib import contextmanager
    from operator import attrgetter
    from tqdm import tqdm
    class Train:
        order = 0
        def predict(self, l): l.preds = l.model(l.batch[0])
        def get_loss(self, l): l.loss = F.mse_loss(l.preds, l.batch[1])
        def backward(self, l): l.loss.backward()
        def step(self, l): l.opt.step()
        def zero_grad(self, l): l.opt.zero_grad()
    class Device:
        order = 0
        def before_batch(self, l): l.batch = [o.to('cpu') for o in l.batch]
    class Metrics:
        order = 0
        def before_epoch(self, l): self.total,self.n = 0.,0
        def after_batch(self, l):
            xb,yb = [o.detach().cpu() for o in l.batch]
            self.total,self.n = self.total+l.loss.detach().cpu().double()*len(xb),self.n+len(xb)
    class Progress:
        order = 1
        def before_epoch(self, l): self.bar = l.dl = tqdm(l.dl)
        def after_batch(self, l): self.bar.comment = f'{l.loss:.3f}'
    class Loop:
        def __init__(self): (self.model,self.opt),self.cbs = s.fresh(),[Train(),Device(),Metrics(),Progress()]
        def callback(self, nm):
            for cb in sorted(self.cbs, key=attrgetter('order')):
                f = getattr(cb, nm, None)
                if f is not None: f(self)
        def __getattr__(self, nm):
            if nm in ('predict','get_loss','backward','step','zero_grad'): return lambda: self.callback(nm)
            raise AttributeError(nm)
        @contextmanager
        def events(self, nm):
            try:
                self.callback(f'before_{nm}')
                yield
                self.callback(f'after_{nm}')
            finally: self.callback(f'cleanup_{nm}')
        def fit(self):
            self.dl = s.train
            with self.events('fit'), self.events('epoch'):
                for self.iter,self.batch in enumerate(self.dl):
                    with self.events('batch'):
                        self.predict()
                        self.callback('after_predict')
                        self.get_loss()
                        self.callback('after_loss')
                        self.backward()
                        self.callback('after_backward')
                        self.step()
                        self.callback('after_step')
                        self.zero_grad()
    Loop().fit()

def fabric(s, extras=True):
    "Fabric's model, optimiser, loader and backward; mean loss and bar by hand"
    from lightning.fabric import Fabric
    fab = Fabric(accelerator='cpu', devices=1)
    by_hand(s, lambda m,o,d: (*fab.setup(m,o), fab.setup_dataloaders(d)), fab.backward, extras)

def accelerate(s, extras=True):
    "Accelerator's model, optimiser, loader and backward; mean loss and bar by hand"
    from accelerate import Accelerator
    acc = Accelerator(cpu=True)
    by_hand(s, acc.prepare, acc.backward, extras)

def ignite(s):
    "create_supervised_trainer with RunningAverage of the loss and ignite's ProgressBar"
    import torch.nn.functional as F
    from ignite.engine import create_supervised_trainer
    from ignite.handlers import ProgressBar
    from ignite.metrics import Average
    model,opt = s.fresh()
    trainer = create_supervised_trainer(model, opt, F.mse_loss, device='cpu')
    Average().attach(trainer, 'loss')
    ProgressBar(persist=True).attach(trainer)
    trainer.run(s.train, max_epochs=1)

def fastai(s):
    "Learner with its default callbacks (averages of the loss, progress bar) and torch's SGD"
    import torch,torch.nn.functional as F
    from functools import partial
    from fastai.callback import progress
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper
    Learner(DataLoaders(s.train, s.valid), s.fresh()[0], loss_func=F.mse_loss, lr=0.01, opt_func=partial(OptimWrapper, opt=torch.optim.SGD)).fit(1)

def lightning(s):
    "Trainer with a LightningModule that logs its loss for the epoch, and its tqdm bar"
    import lightning as L
    import torch,torch.nn.functional as F
    from lightning.pytorch.callbacks import TQDMProgressBar
    model,opt = s.fresh()
    class Module(L.LightningModule):
        def __init__(self): super().__init__(); self.model = model
        def training_step(self, batch, i):
            loss = F.mse_loss(self.model(batch[0]), batch[1])
            self.log('loss', loss, on_step=False, on_epoch=True, batch_size=len(batch[0]))
            return loss
        def configure_optimizers(self): return opt
    L.Trainer(max_epochs=1, accelerator='cpu', devices=1, logger=False, enable_checkpointing=False, enable_model_summary=False,
              callbacks=[TQDMProgressBar()]).fit(Module(), s.train)

def _only(*parts): return lambda s: lesson20(s, parts)
contestants = { # name: (function, package, what is counted)
    'by hand': (by_hand, 'tqdm', 'device, mean loss and tqdm bar in a plain loop'),
    'lesson20': (lesson20, 'lesson20', 'TrainCB, DeviceCB, MetricsCB, ProgressCB'),
    'course scheme': (course, 'tqdm', 'dispatch as in the course: sorted and looked up at each event'),
    'Fabric': (fabric, 'lightning', 'its wrappers; mean loss and bar by hand'),
    'Fabric, wrappers': (lambda s: fabric(s, False), 'lightning', 'no mean loss, no bar'),
    'accelerate': (accelerate, 'accelerate', 'its wrappers; mean loss and bar by hand'),
    'accelerate, wrappers': (lambda s: accelerate(s, False), 'accelerate', 'no mean loss, no bar'),
    'ignite': (ignite, 'pytorch-ignite', 'supervised trainer, Average, ProgressBar'),
    'fastai': (fastai, 'fastai', 'Learner with its default callbacks'),
    'Lightning': (lightning, 'lightning', 'Trainer, self.log, TQDMProgressBar'),
}
parts = {'Train': (_only(), 'lesson20', 'TrainCB'),
    'Train+Device': (_only('Device'), 'lesson20', 'and DeviceCB'),
    'Train+Metrics': (_only('Metrics'), 'lesson20', 'and MetricsCB'),
    'Train+Progress': (_only('Progress'), 'lesson20', 'and ProgressCB'),
    'all four': (lesson20, 'lesson20', 'TrainCB, DeviceCB, MetricsCB, ProgressCB')}

def work(name, batches, threads, fd):
    "In a process of its own: for each line on stdin, time the bare loop and the contestant, and answer in JSON to the open file `fd`"
    out = os.fdopen(fd, 'w')
    import torch
    torch.set_num_threads(threads)
    f,dist,_ = {**contestants, **parts}[name]
    s,versions = Setup(batches),{o:metadata.version(o) for o in {dist,'torch'} if o != 'lesson20'}
    def timed(f):
        s.clock.seconds,start = None,time.perf_counter()
        f(s)
        wall,n = time.perf_counter()-start,batches-1-n_skip
        return dict(us=s.clock.seconds/n*1e6, cpu=s.clock.cpu/n*1e6, fixed_ms=(wall-s.clock.seconds/n*batches)*1e3)
    for line in sys.stdin:
        order = ('bare','own') if line.strip()=='0' else ('own','bare')
        try: ans = {o:timed(bare if o=='bare' else f) for o in order}
        except ImportError as e: ans = dict(missing=str(e).splitlines()[0])
        except Exception as e: ans = dict(failed=f'{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ""}')
        print(json.dumps({**ans, 'versions':versions, 'python':platform.python_version()}), file=out, flush=True)

class Worker:
    "A process that runs one contestant when asked, with a terminal that nobody reads"
    def __init__(self, name, python, args):
        self.name,main = name,None
        r,w = os.pipe()
        main,term = pty.openpty()
        env = {**os.environ, 'OMP_NUM_THREADS':str(args.threads), 'MKL_NUM_THREADS':str(args.threads), 'COLUMNS':'100', 'TERM':'xterm', 'PYTHONWARNINGS':'ignore'}
        cmd = [python, __file__, '--worker', name, '--answers', str(w), '--batches', str(args.batches), '--threads', str(args.threads)]
        self.p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=term, stderr=term, env=env, text=True, pass_fds=[w])
        os.close(w); os.close(term)
        self.out,self.said = os.fdopen(r),b''
        threading.Thread(target=self._drain, args=(main,), daemon=True).start()
    def _drain(self, fd):
        try:
            while (b := os.read(fd, 65536)): self.said = (self.said+b)[-4000:]
        except OSError: pass
    def __call__(self, order):
        try: self.p.stdin.write(f'{order}\n'); self.p.stdin.flush()
        except BrokenPipeError: pass
        line = self.out.readline()
        return json.loads(line) if line else dict(failed='the process ended: '+self.said.decode(errors='replace').strip().split('\n')[-1][-200:])
    def close(self): self.p.stdin.close(); self.p.wait()

def start(name, dist, pythons, args):
    "A worker for `name` that has run once to warm up, in the first interpreter that can; or the answer that says why not"
    for python in pythons:
        w = Worker(name, python, args)
        ans = w(0)
        if 'own' in ans: return w,ans
        w.close()
    return None,ans

def iqr(xs): q = statistics.quantiles(xs, n=4, method='inclusive'); return [q[0],q[2]]

def measure(which, args):
    "Rounds over all contestants in changing order; a row for each"
    workers,rows,rng = {},{},random.Random(0)
    for name,(_,dist,what) in which.items():
        w,ans = start(name, dist, list(dict.fromkeys([sys.executable, *args.python])), args)
        rows[name] = dict(name=name, what=what, versions=ans.get('versions',{}), **({k:ans[k] for k in ('missing','failed') if k in ans}), rounds=[])
        if w: workers[name] = w
        print(f"{name}: {'ready' if w else ans.get('missing') or ans.get('failed')}", file=sys.stderr)
    for i in range(args.rounds):
        for name in rng.sample(list(workers), len(workers)): rows[name]['rounds'].append(workers[name](i%2))
        print(f'round {i+1}/{args.rounds}', end='\r', file=sys.stderr)
    for w in workers.values(): w.close()
    for r in rows.values():
        if bad := next((o for o in r['rounds'] if 'own' not in o), None): r['failed'] = bad.get('failed') or bad.get('missing')
        if not r['rounds'] or 'failed' in r: continue
        extra,bare_us = [o['own']['us']-o['bare']['us'] for o in r['rounds']],[o['bare']['us'] for o in r['rounds']]
        r.update(us=statistics.median(extra), iqr=iqr(extra), cpu=statistics.median(o['own']['cpu']-o['bare']['cpu'] for o in r['rounds']), bare=statistics.median(bare_us), bare_iqr=iqr(bare_us),
                 fixed_ms=statistics.median(o['own']['fixed_ms'] for o in r['rounds']))
    return list(rows.values())

def machine(args, rows):
    "The facts that a figure is worth nothing without"
    versions = dict(sorted({k:v for r in rows for k,v in r['versions'].items()}.items()))
    return dict(date=datetime.date.today().isoformat(), cpu=cpu_name(), cores=os.cpu_count(), load=round(os.getloadavg()[0], 2), system=platform.platform(terse=True),
        python=platform.python_version(), threads=args.threads, malloc={k:v for k,v in os.environ.items() if k.startswith('MALLOC_') or k=='LD_PRELOAD'} or "the system's default",
        batches=args.batches-1-n_skip, rounds=args.rounds, versions=versions)

def table(rows, ref=None):
    "Rows as a Markdown table, the cheapest first"
    ok = sorted((r for r in rows if 'us' in r), key=lambda r: r['us'])
    base = next((r['us'] for r in ok if r['name']==ref), None)
    lines = ['| | µs a batch beyond the bare loop | middle half of the rounds | µs of processor time | ratio | ms for all else in a fit | what is counted |',
             '|---|--:|--:|--:|--:|--:|---|']
    for r in ok: lines.append(f"| {r['name']} | **{r['us']:.1f}** | {r['iqr'][0]:.1f} to {r['iqr'][1]:.1f} | {r['cpu']:.1f} | "
                              f"{r['us']/base if base else 1:.1f} | {r['fixed_ms']:.0f} | {r['what']} |")
    lines += [f"| {r['name']} | missing | | | | | {r.get('missing') or r.get('failed')} |" for r in rows if 'us' not in r]
    return '\n'.join(lines)

notes = """
How it was measured: `nn.Linear(16,1)`, `torch.optim.SGD`, batches of 32 from a `TensorDataset` in memory. Each contestant runs in a process of its own at a
pseudo-terminal; in each round it runs directly before or after the bare loop in the same process, and the figure is the difference. The clock sits in
the loader's batch sampler: setting up, the first {skip} batches and the end of the epoch are not counted. The ratio is to lesson20.

What can't be compared:

- Fabric and accelerate wrap model, optimiser and loader and leave the loop to you: they have no metric (and Fabric no bar). They get the mean loss and the tqdm
  bar of the row "by hand"; "wrappers" is what they cost alone.
- fastai's progress bar is fastprogress, drawn by its own timing. fastai's recorder also keeps a smoothed loss and the rates; it checks its own events (about 20 a batch).
- Lightning and ignite do more in a batch than was asked for (profiler hooks, state for resuming, events with filters), and that is what their figure shows.
- "course scheme" is the dispatch as the course teaches it, written anew for this comparison, with a tqdm bar, since the course's bar does not run in a terminal. It is not
  a measurement of the miniai package.
- A model this small makes the overhead visible. Beside a step of 10 ms, 100 µs are one per cent.
"""

def report(args):
    "Measure everything, print and write the tables"
    rows = measure(parts if args.parts else contestants, args)
    facts,ref = machine(args, rows),'all four' if args.parts else 'lesson20'
    bare_us = statistics.median(r['bare'] for r in rows if 'us' in r)
    about = ', '.join(f'{k} {v}' for k,v in facts['versions'].items())
    head = (f"{facts['date']}, {facts['cpu']}, {facts['cores']} cores, {facts['threads']} thread{'s' if facts['threads']>1 else ''}, malloc: {facts['malloc']}, load {facts['load']}, "
            f"Python {facts['python']}, {about}. {facts['rounds']} rounds of {facts['batches']} batches. The bare loop takes {bare_us:.0f} µs a batch.")
    print(f'\n{head}\n\n{table(rows, ref)}')
    if args.parts or args.no_write: return
    for r in rows: r['rounds'] = [{k:round(o[k]['us'], 2) for k in ('bare','own')} for o in r['rounds'] if 'own' in o]
    (here/'learner_overhead.json').write_text(json.dumps(dict(machine=facts, rows=rows), indent=1)+'\n')
    (here/'learner_overhead.md').write_text(f'# What a training loop costs\n\n{head}\n\n{table(rows, ref)}\n{notes.format(skip=n_skip)}\nWritten by `benchmarks/learner_overhead.py`.\n')

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=15, help='rounds over all contestants')
    p.add_argument('--batches', type=int, default=561, help=f'batches of a run, the first {n_skip} and the last of them unclocked')
    p.add_argument('--threads', type=int, default=1, help="PyTorch's threads, for all")
    p.add_argument('--python', action='append', default=[], help='further interpreter to try for what is not installed in this one')
    p.add_argument('--parts', action='store_true', help="lesson20's own callbacks one by one")
    p.add_argument('--no-write', action='store_true', help='print only')
    p.add_argument('--worker', help=argparse.SUPPRESS)
    p.add_argument('--answers', type=int, help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.batches <= n_skip+1 or args.rounds < 2: p.error(f'more than {n_skip+1} batches and at least 2 rounds are needed')
    work(args.worker, args.batches, args.threads, args.answers) if args.worker else report(args)
