#!/usr/bin/env python3
"""Make the pictures of the home page, nbs/assets: `python tools/make_site.py`. A few minutes on a CPU; needs what the package needs, and Pillow.

A cat before and after a style transfer, garments that form from noise, an automaton that heals, the picture for social cards and the small icon.
"""
from pathlib import Path
import torch
from PIL import Image, ImageDraw, ImageFont
from lesson20.all import *
from lesson20.show import tile_images, to_uint8

assets = Path(__file__).resolve().parent.parent/'nbs'/'assets'

def zoom(im, k): return im.repeat_interleave(k, -1).repeat_interleave(k, -2)

def style():
    "A cat in the style of brush strokes, 320 pixels, as notebook 09 paints it; a painting that is there already stays"
    after = assets/'style_after.jpg'
    if not after.exists(): save_image(style_transfer('chelsea', 'strokes', size=320, steps=80).image, after, 85)
    im = load_image(after)
    save_image(fit_image(sample_image('chelsea'), tuple(im.shape[-2:])), assets/'style_before.jpg', 85)
    return im

def forming(n=8, rows=10):
    "Garments that form, stage by stage from above"
    torch.manual_seed(3)
    stages = ddim_sample(fashion_unet(), (n,1,32,32), 30)
    keep = [stages[round((len(stages)-1)*(1-(1-i/(rows-1))**1.5))].clamp(0,1) for i in range(rows)]
    save_image(zoom(tile_images(torch.cat(keep), n, pad=0), 2), assets/'forming.png')
    return keep[-1]

@torch.no_grad()
def healing(size=64):
    "A butterfly that grew from one cell, is cut and heals; its grown picture"
    m = load_ca('butterfly')
    cut = torch.linspace(0,1,size)[None,None,None] < 0.45
    x = m.rollout(start_grid(m, size), 300, seed=1)
    hurt = x*~cut
    steps = [m.rollout(start_grid(m, size), 30, seed=1), x, hurt, m.rollout(hurt, 60, seed=2), m.rollout(hurt, 400, seed=2)]
    ims = [m.to_rgb(o)[0].clamp(0,1) for o in steps]
    save_image(tile_images([zoom(o, 2) for o in ims], len(ims), pad=8), assets/'healing.png')
    return ims[1]

@torch.no_grad()
def card(cat, garments, butterfly):
    "The picture that a link to the site shows, and the icon"
    im = Image.new('RGB', (1200,630), '#12171e')
    def put(o, size, at): im.paste(Image.fromarray(to_uint8(o)).convert('RGB').resize(size, Image.NEAREST if o.shape[-1]<=128 else Image.LANCZOS), at)
    put(butterfly, (315,315), (885,0))
    put(cat, (473,315), (727,315))
    put(still_picture(load_ca('honeycomb'), 128, 2000)[:,:,:64], (158,315), (727,0))
    draw = ImageDraw.Draw(im)
    def write(text, size, y, fill): draw.text((60,y), text, fill=fill, font=ImageFont.load_default(size))
    write('lesson20', 108, 70, '#ffffff')
    for i,o in enumerate(('Diffusion, style transfer', 'and neural automata', 'on your own machine')): write(o, 46, 225+58*i, '#c9d5e3')
    for i,o in enumerate(garments[:6]): put(1-o, (96,96), (60+100*i,474))
    im.quantize(160, dither=Image.Dither.NONE).save(assets/'card.png', optimize=True)
    Image.fromarray(to_uint8(butterfly)).resize((64,64)).quantize(64).save(assets/'favicon.png', optimize=True)

if __name__ == '__main__': card(style(), forming(), healing())
