#!/usr/bin/env python3
"""Does the live preview of notebook 09 work in a real JupyterLab? `python tools/check_lab.py [--screenshot FILE]`, about a minute; needs JupyterLab, Playwright and Chromium.

A copy of the notebook, in the setting `test`, has one line changed: its run with controls would go on for hours. Chromium opens it, runs all cells down to the scrubber, sees the preview change, moves
the slider, pauses, goes on, and presses Stop; then the cell must end, with what was painted so far, and the cells below must run. Last it moves the scrubber. An exception says what did not happen.
"""
import argparse, json, os, secrets, signal, socket, subprocess, sys, tempfile, time
from contextlib import contextmanager
from pathlib import Path

root = Path(__file__).resolve().parent.parent
flags = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split()
live, endless = 'live = optimise(both_losses, content_im, cbs=[preview])', 'live = optimise(both_losses, content_im, steps=10**6, cbs=[preview])'
report = "'stopped', preview.stopped, 'shown', preview.shown, 'weight', round(preview.weight.value, 2), 'moved', not torch.equal(live, content_im)"

def notebook():
    "Notebook 09 down to its scrubber, with a run that only Stop ends and a cell that tells what came of it"
    nb = json.loads((root/'nbs'/'09_style_transfer.ipynb').read_text(encoding='utf-8'))
    cells = nb['cells']
    src = lambda i: ''.join(cells[i]['source'])
    at = {o: next(i for i, c in enumerate(cells) if c['cell_type'] == 'code' and o in src(i)) for o in (live, 'HTML(scrubber_html(')}
    i = at[live]
    cells[i]['source'] = src(i).replace(live, endless)
    del cells[at['HTML(scrubber_html(']+1:]
    cells.insert(i+1, dict(cell_type='code', id='report', metadata={}, source=report, outputs=[], execution_count=None))
    for c in cells:
        if c['cell_type'] == 'code': c['outputs'] = []
    return json.dumps(nb)

def free_port():
    with socket.socket() as s: s.bind(('127.0.0.1', 0)); return s.getsockname()[1]

@contextmanager
def lab(folder):
    "A JupyterLab that serves `folder`; its address, with the token"
    port, token = free_port(), secrets.token_hex(8)
    env = {k: v for k, v in os.environ.items() if not k.startswith('JUPYTER')}
    env.update(HOME=str(folder/'home'), JUPYTER_TOKEN=token, LESSON20_SETTING='test', OMP_NUM_THREADS='1')
    command = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root', f'--ServerApp.port={port}', '--ServerApp.port_retries=0', f'--ServerApp.root_dir={folder}/lessons']
    with open(folder/'log', 'w') as log: p = subprocess.Popen(command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    try: yield f'http://127.0.0.1:{port}/lab/tree/09.ipynb?token={token}'
    except BaseException: print((folder/'log').read_text()[-2000:], file=sys.stderr); raise
    finally: os.killpg(p.pid, signal.SIGTERM); p.wait()

def opened(page, url, seconds=60):
    "Open the notebook as soon as the server answers"
    from playwright.sync_api import Error
    for _ in range(2*seconds):
        try: page.goto(url); break
        except Error: time.sleep(0.5)
    page.wait_for_selector('.jp-Notebook .jp-Cell')
    page.get_by_text('| Idle').wait_for()
    page.get_by_role('menuitem', name='Run', exact=True).click()
    page.get_by_role('menuitem', name='Run All Cells', exact=True).click()

def changes(page, see, seconds):
    "Does what `see` tells change within some seconds?"
    old, end = see(), time.time()+seconds
    while time.time() < end:
        if see() != old: return True
        page.wait_for_timeout(100)
    return False

def check(page, url, screenshot=None):
    "Go through the notebook as a reader does"
    opened(page, url)
    print('cells run', flush=True)
    picture = page.locator('img[alt="the picture as it is now"]').last
    stop = page.get_by_role('button', name='Stop', exact=True)
    stop.wait_for()
    stop.scroll_into_view_if_needed()
    see = lambda: picture.get_attribute('src')
    assert changes(page, see, 30), 'the preview does not change'
    handle, readout = page.locator('.widget-slider .noUi-handle').last, page.locator('.widget-slider .widget-readout').last
    handle.focus()
    assert changes(page, lambda: handle.press('ArrowRight') or readout.text_content(), 5), 'the slider does not move'
    pause = page.get_by_role('button', name='Pause', exact=True)
    pause.click()
    page.wait_for_timeout(1000)
    assert not changes(page, see, 4), 'the preview changes while the run is paused'
    pause.click()
    assert changes(page, see, 30), 'the preview does not go on after a pause'
    if screenshot: page.screenshot(path=screenshot)
    stop.click()
    told = page.locator('.jp-OutputArea-output', has_text="'stopped'").last
    told.wait_for()
    text = told.text_content()
    assert "'stopped', True" in text and "'moved', True" in text and "'weight', 1.0," not in text, text
    scrubber = page.locator('figure[id^=scrubber]').last
    scrubber.locator('input').wait_for()
    frame = lambda: scrubber.locator('img').get_attribute('src')
    old = frame()
    scrubber.locator('input').click(position=dict(x=3, y=5))
    assert frame() != old, 'the scrubber does not move'
    old, active = frame(), lambda: page.locator('.jp-Cell.jp-mod-active').get_attribute('data-windowed-list-index')
    place = active()
    for _ in range(2): page.keyboard.press('ArrowDown'); page.keyboard.press('ArrowRight')
    assert active() == place, 'a key pressed in the scrubber leaves its cell'
    assert frame() != old, 'the scrubber does not follow the arrow keys'
    wrong = page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]', has_text='Traceback').all_text_contents()
    assert not wrong, wrong
    print(text)

def main(screenshot=None):
    from playwright.sync_api import sync_playwright
    from lesson20.show import find_browser
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as d, sync_playwright() as p:
        folder = Path(d)
        (folder/'lessons').mkdir(); (folder/'home').mkdir()
        (folder/'lessons'/'09.ipynb').write_text(notebook(), encoding='utf-8')
        browser = p.chromium.launch(executable_path=find_browser(), args=flags)
        with lab(folder) as url:
            page = browser.new_page(viewport=dict(width=1200, height=900))
            page.set_default_timeout(120_000)
            try: check(page, url, screenshot)
            finally:
                if screenshot: page.screenshot(path=f'{Path(screenshot).with_suffix("")}_end.png')
        browser.close()

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--screenshot', help='write a picture of the page here, a .png, just before Stop')
    main(p.parse_args().screenshot)
