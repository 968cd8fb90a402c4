# pyright: basic
# Written by `python -m lesson20.docs`: the types of the module beside it.
from dataclasses import field
from typing import Any, Iterator
import math, random
import fastcore.all as fc
import numpy as np
import torch, torch.nn.functional as F
from functools import partial
from pathlib import Path
from torch import nn, optim, tensor
from torch.utils.data import DataLoader, Dataset
from .show import *
from .data import *
from .learner import *
from .ddpm import *
from .precision import *
from .accel import *
from .multidl import *
from .sampling import *
from .features import *
from .style import *
from .featviz import *
from .nca import *
from .kernels import *
from .growing import *
from .webgl import *
from .course import *
from . import show as _show, data as _data, learner as _learner, ddpm as _ddpm, precision as _precision, accel as _accel, multidl as _multidl, sampling as _sampling, features as _features, style as _style, featviz as _featviz, nca as _nca, kernels as _kernels, growing as _growing, webgl as _webgl, course as _course
__all__ = ['DataLoader', 'Dataset', 'F', 'Path', 'fc', 'math', 'nn', 'np', 'optim', 'partial', 'random', 'tensor', 'torch']
__all__ += _show.__all__
__all__ += _data.__all__
__all__ += _learner.__all__
__all__ += _ddpm.__all__
__all__ += _precision.__all__
__all__ += _accel.__all__
__all__ += _multidl.__all__
__all__ += _sampling.__all__
__all__ += _features.__all__
__all__ += _style.__all__
__all__ += _featviz.__all__
__all__ += _nca.__all__
__all__ += _kernels.__all__
__all__ += _growing.__all__
__all__ += _webgl.__all__
__all__ += _course.__all__
