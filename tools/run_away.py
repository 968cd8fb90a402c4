#!/usr/bin/env python3
"""Run the notebooks as a reader elsewhere does: from an installed wheel, in a folder that holds nothing else, without a network.

`python tools/run_away.py [--wheel FILE] [--setting quick] [00 09 index ...]`, in the environment of the developers; without names all notebooks. A fresh environment gets links to what the package, ipykernel,
nbclient and datasets (Colab and Kaggle have it, and the course's own code in 15 calls it) require, and to nothing else of this one, so that a lesson that leans on nbdev or on the checkout fails. The wheel is installed as on Kaggle without a network: by the lessons' own first
cell, from a folder of wheels. Notebooks whose first cell fetches more get an environment with that, and their `git clone` of what the project's address names a clone of this checkout's last commit. Then every notebook is run, in the setting `test` if no other is named, but for the cells whose flags
`nbdev-test` leaves out too; those that want a browser have to notice for themselves that there is none. Numba, which Colab and Kaggle have too, is there but in `test`. The last line counts: "N passed, N failed".
"""
import argparse, fcntl, json, os, re, shlex, shutil, socket, struct, subprocess, sys, tempfile, time
from importlib.metadata import distribution
from pathlib import Path

root = Path(__file__).resolve().parent.parent

def build(folder):
    "Build a wheel of the checkout into `folder` by the README's recipe, from a copy: what an earlier build left behind stays out of it"
    src = folder/'src'
    src.mkdir(parents=True)
    for o in ('pyproject.toml', 'setup.py', 'settings.ini', 'MANIFEST.in', 'README.md', 'CHANGELOG.md', 'LICENSE', 'NOTICE'): shutil.copy(root/o, src)
    shutil.copytree(root/'lesson20', src/'lesson20', ignore=shutil.ignore_patterns('__pycache__'))
    recipe = re.search(r'^pip (wheel .*) git\+\S+$', (root/'README.md').read_text(encoding='utf-8'), re.M)[1]
    subprocess.run([sys.executable, '-m', 'pip', *shlex.split(recipe), '-q', src], cwd=folder, check=True)
    return next(folder.glob('wheels/lesson20-*.whl'))

def required(names):
    "The distributions that `names` require, and those that they require"
    from packaging.requirements import Requirement
    seen, todo = {}, [(o, '') for o in names]
    while todo:
        text, extra = todo.pop()
        r = Requirement(text)
        if r.marker and not r.marker.evaluate({'extra': extra}): continue
        new = {'', *r.extras} - seen.setdefault(r.name.lower(), set())
        seen[r.name.lower()] |= new
        todo += [(o, e) for o in distribution(r.name).requires or [] for e in new]
    return [distribution(o) for o in seen]

def environment(folder, more=()):
    "A fresh environment in `folder` with links to what the lessons may use"
    subprocess.run([sys.executable, '-m', 'venv', folder], check=True)
    site = next(folder.glob('lib/python*/site-packages'))
    needs = [o for o in distribution('lesson20').requires if 'extra' not in o]
    for d in required([*needs, 'ipykernel', 'nbclient', 'datasets', *more]):
        for top in {f.parts[0] for f in d.files} - {'..', '__pycache__'}:
            if not (site/top).exists(): (site/top).symlink_to(d.locate_file(top))
    if any(o.startswith('nbconvert') for o in more): # its templates
        (folder/'share'/'jupyter').mkdir(parents=True, exist_ok=True)
        (folder/'share'/'jupyter'/'nbconvert').symlink_to(Path(sys.prefix)/'share'/'jupyter'/'nbconvert')
    return folder/'bin'/'python'

def copy(lesson, folder):
    "Copy a notebook, with a tag on the cells that are not to run"
    from nbdev.config import get_config
    from nbdev.test import nb_test_cells
    run = {c.id for c in nb_test_cells(lesson, {*get_config(root).tst_flags}-{'browser'})} # without a browser those cells leave themselves out
    nb = json.loads(lesson.read_text(encoding='utf-8'))
    code = [c for c in nb['cells'] if c['cell_type'] == 'code']
    for c in code[:-1]:
        c['outputs'] = []
        if c['id'] not in run: c['metadata']['tags'] = ['skip-execution']
    (folder/lesson.name).write_text(json.dumps(nb), encoding='utf-8')

guard = '''import socket
def _only_here(f):
    def g(self, at, *a):
        if self.family in (socket.AF_INET, socket.AF_INET6) and at[0] not in ('127.0.0.1', '::1', 'localhost'): raise OSError(101, 'Network is unreachable')
        return f(self, at, *a)
    return g
for o in ('connect', 'connect_ex'): setattr(socket.socket, o, _only_here(getattr(socket.socket, o)))
'''

def cut_off(python):
    "What to put before a command to take the network from it; where that isn't permitted, Python itself is told to refuse"
    cut = ['unshare', '--map-root-user', '--net']
    if shutil.which('unshare') and not subprocess.run([*cut, 'true'], capture_output=True).returncode: return cut
    print('A network namespace is not permitted here: Python refuses connections instead, other programs could still make some', flush=True)
    site = next(python.parent.parent.glob('lib/python*/site-packages'))
    (site/'only_here.py').write_text(guard)
    (site/'only_here.pth').write_text('import only_here\n')
    return []

def loopback():
    "Switch the loopback device on: a kernel talks through it, and a new network namespace has it off"
    with socket.socket() as s:
        flags = struct.unpack('16xH', fcntl.ioctl(s, 0x8913, struct.pack('16s16x', b'lo'))[:18])[0]
        if not flags & 1: fcntl.ioctl(s, 0x8914, struct.pack('16sH14x', b'lo', flags | 1))

def is_off():
    "Is there no way out?"
    try: socket.create_connection(('1.1.1.1', 53), 3).close()
    except OSError: return True

def inside(names):
    "Run the notebooks in the working folder, and tell how each went; in the fresh environment, without a network"
    loopback()
    assert is_off(), 'the network is still there'
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError
    from traitlets.config import Config
    ipc = Config(KernelManager=dict(transport='ipc'))
    for name in names:
        start, why = time.time(), ''
        try: NotebookClient(nbformat.read(name, 4), timeout=600, config=ipc).execute()
        except (CellExecutionError, CellTimeoutError) as e: # anything else, such as a kernel that was ended along with this program, ends the run
            why = f'{type(e).__name__}: {e}'
        print(f"{name}: {'failed' if why else 'passed'}, {time.time()-start:.0f} s", *why.splitlines()[-40:], sep='\n   ', flush=True)

def run(tmp, files, wheel, setting, more=()):
    "Run `files` in an environment with the distributions `more` besides; the number of those that failed"
    from lesson20.docs import first_cell
    from nbdev.config import get_config
    python, empty, wheels = environment(tmp/'env', [*more, *['numba']*(setting != 'test')]), tmp/'empty', tmp/'input'/'wheels'
    for o in (empty, wheels, tmp/'home'): o.mkdir(parents=True)
    shutil.copy(wheel, wheels)
    for p in files: copy(p, empty)
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'IN_TEST', 'VIRTUAL_ENV') and not k.startswith(('JUPYTER', 'XDG'))}
    env.update(HOME=str(tmp/'home'), JUPYTER_RUNTIME_DIR=str(tmp/'run'), LESSON20_SETTING=setting, PIP_DISABLE_PIP_VERSION_CHECK='1')
    if setting == 'test': env['OMP_NUM_THREADS'] = '1'
    if more:
        env.update(KAGGLE_KERNEL_RUN_TYPE='Interactive', GIT_CONFIG_GLOBAL=str(tmp/'home'/'.gitconfig'))
        (tmp/'home'/'.gitconfig').write_text(f'[url "file://{root}"]\n\tinsteadOf = {get_config(root).git_url}\n[safe]\n\tdirectory = *\n')
    call = dict(cwd=empty, env=env, stdin=subprocess.DEVNULL)
    cut = cut_off(python)
    first = first_cell().replace('/kaggle/input', str(wheels.parent))
    subprocess.run([*cut, python, '-c', first], **{**call, 'env': {**env, 'KAGGLE_KERNEL_RUN_TYPE': 'Interactive'}}, check=True)
    where = subprocess.run([python, '-c', 'import lesson20; print(lesson20.__file__)'], **call, capture_output=True, text=True).stdout
    assert str(tmp/'env') in where, f'lesson20 was not installed: {where}'
    failed = 0
    with subprocess.Popen([*cut, python, __file__, '--inside', *(p.name for p in files)], **call, stdout=subprocess.PIPE, text=True) as p:
        for line in p.stdout:
            failed += bool(re.match(r'\S+\.ipynb: failed', line))
            print(line, end='', flush=True)
    if p.returncode: sys.exit(p.returncode)
    return failed

def main(names, wheel, setting):
    "Run the notebooks, those that need more than the package in an environment of their own; whether one failed"
    from lesson20.docs import _extras, first_cell
    from nbdev.config import get_config
    every = sorted(get_config(root).nbs_path.glob('*.ipynb'))
    if unknown := [o for o in names if not any(o in (p.stem, p.name[:2]) for p in every)]: sys.exit(f"no notebook is called {', '.join(unknown)}")
    files = [p for p in every if not names or p.stem in names or p.name[:2] in names]
    groups = [p for p in files if first_cell(p.stem) == first_cell()], [p for p in files if first_cell(p.stem) != first_cell()]
    with tempfile.TemporaryDirectory() as d:
        d = Path(d)
        wheel = wheel or build(d/'build')
        failed = sum(run(d/str(i), o, wheel, setting, sum(_extras.values(), [])*i) for i, o in enumerate(groups) if o)
    print(f'{len(files)-failed} passed, {failed} failed')
    return bool(failed)

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('names', nargs='*', help='numbers, or names without .ipynb; default: all')
    p.add_argument('--wheel', type=Path, help='default: a wheel is built')
    p.add_argument('--setting', choices=('test', 'quick'), default='test')
    p.add_argument('--inside', action='store_true', help=argparse.SUPPRESS)
    a = p.parse_args()
    sys.exit(inside(a.names) if a.inside else main(a.names, a.wheel, a.setting))
