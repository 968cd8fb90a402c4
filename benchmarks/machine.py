"What the benchmarks call the computer that they ran on"
import platform

def cpu_name():
    "Name of the processor"
    try: return next(l.split(':', 1)[1].strip() for l in open('/proc/cpuinfo', encoding='utf-8') if l.startswith('model name'))
    except (OSError, StopIteration): return platform.processor() or platform.machine()
