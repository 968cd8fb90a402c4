"""Does memory hold? `python benchmarks/soak.py [--minutes 60]`.

Two things go on for an hour, side by side: an automaton lives in headless Chromium, and a `Learner` trains a diffusion model, one fit after the other, with metrics, checkpoints, running
average and previews of samples in the list of its callbacks. Every minute the memory of both is noted (what is shared with no other process, over the whole tree of processes). Writes soak.json and soak.md
with the growth from the end of the first tenth to the end, in MiB an hour by a straight line. Linux, Debian's chromium, the developers' requirements.
"""
import argparse, json, os, platform, signal, subprocess, sys, tempfile, time
from datetime import date
from pathlib import Path
import numpy as np
from machine import cpu_name

root = Path(__file__).resolve().parent
training = '''
import itertools, tempfile, torch
from pathlib import Path
import matplotlib.pyplot as plt
from lesson20.all import *
torch.set_num_threads(1)
ds = fashion_mnist('bundled')['train']
small = ImageData(ds.images[:256], torch.zeros(256))
dls = DataLoaders(dl_ddpm(small, 32), dl_ddpm(small, 32, train=False))
model = UNet(1, 1, (8,16), attn_levels=0, sample_size=28)
for i in itertools.count():
    path = Path(tempfile.mkdtemp())/'run.ckpt'
    cbs = [TrainCB(), DeviceCB('cpu'), MetricsCB(), ProgressCB(), EMACB(), RecorderCB(), CheckpointCB(path, every=4)]
    Learner(model, dls, torch.nn.functional.mse_loss, lr=1e-3, cbs=cbs, opt_func=torch.optim.Adam).fit(1)
    show_images(ddim_sample(model, (4,1,28,28), 3)[-1])
    plt.close('all'); path.unlink()
    print('fits', i+1, flush=True)
'''

def own(pid):
    "MiB that a process and all that it started share with nobody"
    todo, total = [pid], 0
    while todo:
        p = todo.pop()
        try:
            total += sum(int(l.split()[1]) for l in open(f'/proc/{p}/smaps_rollup') if l.startswith('Private_'))
            todo += [int(o) for t in os.listdir(f'/proc/{p}/task') for o in open(f'/proc/{p}/task/{t}/children').read().split()]
        except OSError: pass
    return total/1024

def drift(minutes, mib):
    "MiB an hour by a straight line, after the first tenth"
    k = len(mib)//10
    return 60*np.polyfit(minutes[k:], mib[k:], 1)[0]

def watch(browser, page, p, log, minutes):
    "Note both memories every minute"
    rows, start = [], time.time()
    while (now := time.time()-start) < 60*minutes:
        time.sleep(60-now%60)
        if p.poll() is not None: sys.exit('the training ended: '+Path(log).read_text()[-2000:])
        steps = page.evaluate('document.querySelector("form").nca.count()')
        rows.append(dict(minute=(time.time()-start)/60, chromium=own(browser), training=own(p.pid), heap=page.evaluate('performance.memory.usedJSHeapSize')/2**20,
                         steps=steps, fits=Path(log).read_text().count('fits ')))
        print(rows[-1], flush=True)
    return rows

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--minutes', type=float, default=60)
    a = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)) # so that what was started is ended, too
    from lesson20.nca import load_ca
    from lesson20.show import find_browser
    from lesson20.webgl import write_html
    from playwright.sync_api import sync_playwright
    flags = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split()
    with tempfile.TemporaryDirectory() as d, sync_playwright() as pw, open(f'{d}/log', 'w') as log:
        html = write_html(load_ca('dots'), Path(d)/'a.html')
        run = subprocess.Popen([sys.executable, '-c', training], stdout=log, stderr=log, env=dict(os.environ, TMPDIR=d, OMP_NUM_THREADS='1', MPLBACKEND='agg'))
        b = pw.chromium.launch_persistent_context(f'{d}/profile', executable_path=find_browser(), args=flags)
        try:
            page = b.pages[0]
            page.goto(html.as_uri())
            browser = int(Path(f'{d}/profile/SingletonLock').readlink().name.rsplit('-', 1)[1]) # Chromium's lock is a link to host-pid
            rows = watch(browser, page, run, f'{d}/log', a.minutes)
        finally:
            run.kill()
            b.close()
    minutes = [r['minute'] for r in rows]
    found = {k: dict(first=rows[len(rows)//10][k], last=rows[-1][k], most=max(r[k] for r in rows), drift=drift(minutes, [r[k] for r in rows])) for k in ('chromium', 'heap', 'training')}
    where = f'{date.today()}, {cpu_name()}, {os.cpu_count()} cores, Python {platform.python_version()}; {minutes[-1]:.0f} minutes, {rows[-1]["steps"]:,} steps of the automaton, {rows[-1]["fits"]} fits'
    table = ''.join(f"| {k} | {v['first']:.0f} | {v['last']:.0f} | {v['most']:.0f} | {v['drift']:+.1f} |\n" for k, v in found.items())
    (root/'soak.json').write_text(json.dumps(dict(where=where, found=found, rows=rows), indent=1)+'\n', encoding='utf-8')
    (root/'soak.md').write_text(f'# Does memory hold?\n\n`benchmarks/soak.py`, {where}.\n\n| MiB | after a tenth | at the end | most | an hour, by a line |\n|-|-:|-:|-:|-:|\n{table}', encoding='utf-8')
    print(where, table, sep='\n')

if __name__ == '__main__': main()
