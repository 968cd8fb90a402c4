"What the benchmarks have in common: what the computer is called, and where results go that a notebook shows"
import platform
from pathlib import Path

results = Path(__file__).resolve().parent.parent/'lesson20'/'assets'/'results'

def cpu_name():
    "Name of the processor"
    try: return next(l.split(':', 1)[1].strip() for l in open('/proc/cpuinfo', encoding='utf-8') if l.startswith('model name'))
    except (OSError, StopIteration): return platform.processor() or platform.machine()
