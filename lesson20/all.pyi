# Written by `python -m lesson20.docs`: the types of the module beside it.
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
from . import show, data, learner, ddpm, precision, accel, multidl, sampling, features, style, featviz, nca, kernels, growing, webgl, course
__all__ = ['DataLoader', 'Dataset', 'F', 'Path', 'fc', 'math', 'nn', 'np', 'optim', 'partial', 'random', 'tensor', 'torch']
__all__ += show.__all__
__all__ += data.__all__
__all__ += learner.__all__
__all__ += ddpm.__all__
__all__ += precision.__all__
__all__ += accel.__all__
__all__ += multidl.__all__
__all__ += sampling.__all__
__all__ += features.__all__
__all__ += style.__all__
__all__ += featviz.__all__
__all__ += nca.__all__
__all__ += kernels.__all__
__all__ += growing.__all__
__all__ += webgl.__all__
__all__ += course.__all__
