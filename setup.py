from configparser import ConfigParser
from pathlib import Path
from setuptools import setup

cfg = ConfigParser()
cfg.read_string((Path(__file__).parent/'settings.ini').read_text(encoding='utf-8'))
cfg = cfg['DEFAULT']
def lines(key): return [o.strip() for o in cfg[key].splitlines() if o.strip()]

setup(author=cfg['author'], keywords=cfg['keywords'], install_requires=lines('requirements'),
    extras_require={'dev': lines('dev_requirements')+lines('fast_requirements'), 'fast': lines('fast_requirements'), 'clip': lines('clip_requirements')},
    entry_points={'console_scripts': lines('console_scripts'), 'nbdev': ['lesson20 = lesson20._modidx:d']})
