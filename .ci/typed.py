"""A program in the manner of the lessons, for a type checker: `pyright .ci/typed.py` finds nothing to say. It is not meant to run for its result."""
from pathlib import Path
import torch
from lesson20 import course, ddpm, learner, nca, show, style
from lesson20.all import *

def train(folder:Path):
    "Data, a learner with callbacks, and what was patched into it"
    set_seed(42)
    dls = DataLoaders.from_dd(fashion_mnist(), 64)
    metrics = MetricsCB(accuracy=MulticlassAccuracy())
    cbs = [DeviceCB(), metrics, ProgressCB(plot=True), ActivationStats(lambda m: isinstance(m, nn.ReLU)), BatchSchedCB(partial(optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=9))]
    learn = TrainLearner(get_model(act_gr, norm=nn.BatchNorm2d), dls, F.cross_entropy, lr=0.1, cbs=cbs, opt_func=optim.AdamW)
    learn.fit(1, valid=False, cbs=SingleBatchCB())
    learn.lr_find(gamma=1.5)
    learn.summary()
    learn.show_image_batch(max_n=4)
    preds,targs = learn.capture_preds(cbs=[TTD_CB()])
    return learn.model, learn.loss, metrics.history, accuracy(preds, targs)

class OwnCB(TrainCB):
    "A callback of one's own"
    order = DeviceCB.order+1
    def predict(self, learn): learn.preds = learn.model(learn.batch[0])

def diffuse():
    "Noise, a network, samples"
    sched = linear_schedule()
    (x_t,t),eps = noisify(torch.randn(4,1,32,32), sched.alphabar)
    unet = UNet()
    init_ddpm(unet)
    learn = Learner(unet, DataLoaders([], []), F.mse_loss, cbs=[OwnCB(), MixedPrecision()])
    score: float = ImageEval(nn.Flatten(), learn.dls).fid(rand_erase(x_t))
    return ddim_sample(unet, (4,1,32,32)), score, t, eps

def paint():
    "A style and an automaton"
    res = style_transfer('chelsea', 'strokes', size=64, steps=1)
    save_image(res.image, 'a.jpg')
    ca = SimpleCA()
    grids: torch.Tensor = make_grids(4, 64)
    return ca.rollout(grids, 8), nca.automata_names(), show.load_image('chelsea'), style.StyleTransfer, learner.Learner.fit, ddpm.Schedule, course.Dataset
