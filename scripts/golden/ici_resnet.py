"""Golden data for PIAA-ICI's backbone: a ResNet-50 of width 4, and one of a block a stage, in PyTorch, float32, one thread.

    python scripts/golden/ici_resnet.py tests/golden/ici

Each file holds `in.` photos and labels, `w.` the weights at the start, `s.eval.` and `s.train.` stages of the forward pass with running and with the batch's statistics, `loss.`,
`g.` gradients, `r.` running statistics after that one batch; the shallow one also `p.` everything after ten steps of Adam on the same batch, and `losses` on the way.
"""
import os, sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride, project):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)) if project else None

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, width=64, blocks=(3, 4, 6, 3)):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for s, n in enumerate(blocks):
            w, layers = width << s, []
            for b in range(n):
                layers.append(Bottleneck(inputs, w, 2 if s and not b else 1, b == 0))
                inputs = 4 * w
            setattr(self, f"layer{s + 1}", nn.Sequential(*layers))
        self.features = inputs
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def stages(self, x):
        s = {"maxpool": F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)}
        for before, layer in zip(("maxpool", "layer1", "layer2", "layer3"), ("layer1", "layer2", "layer3", "layer4")):
            s[layer] = getattr(self, layer)(s[before])
        s["avgpool"] = s["layer4"].mean((2, 3))
        return s

    def forward(self, x):
        return self.stages(x)["avgpool"]


class Phase1(nn.Module):
    def __init__(self, backbone, features, attributes=7, bins=9):
        super().__init__()
        self.backbone = backbone
        self.attr_head = nn.Linear(features, attributes)
        self.dis_head = nn.Linear(features, bins)

    def forward(self, x):
        f = self.backbone(x)
        return self.attr_head(f), self.dis_head(f)


def loss_of(model, x, ya, yd):
    attr, logits = model(x)
    a = F.mse_loss(attr, ya)
    d = (F.softmax(logits, -1).cumsum(-1) - yd.cumsum(-1)).abs().mean()
    return a + 0.1 * d, a, d


def named(prefix, module):
    return {prefix + k: v.clone() for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}


def make(out, name, seed, width, side, n, rates, blocks=(3, 4, 6, 3)):
    torch.manual_seed(seed)
    gen = torch.Generator().manual_seed(seed)
    new = lambda: Phase1(r := ResNet(width, blocks), r.features)
    model = new()
    for m in model.modules():                                       # away from 1, 0, 0, 1, so that a test sees each of them
        if isinstance(m, nn.BatchNorm2d):
            m.weight.data.uniform_(0.5, 1.5, generator=gen), m.bias.data.uniform_(-0.3, 0.3, generator=gen)
            m.running_mean.uniform_(-0.2, 0.2, generator=gen), m.running_var.uniform_(0.5, 1.5, generator=gen)
    start = {a: b.clone() for a, b in model.state_dict().items()}
    x = torch.randn(n, 3, side, side + 8)                           # not square
    ya, yd = 1 + 4 * torch.rand(n, 7), torch.softmax(torch.randn(n, 9), -1)
    t = {"in.image": x, "in.attr": ya, "in.target": yd, **named("w.", model)}
    model.eval()
    with torch.no_grad():
        t.update({"s.eval." + a: b for a, b in model.backbone.stages(x).items()})
    model.train()
    loss, la, ld = loss_of(model, x, ya, yd)
    loss.backward()
    t.update({"loss.attr": la, "loss.emd": ld, "loss.total": loss})
    t.update({"g." + k: p.grad for k, p in model.named_parameters()})
    t.update({"r." + a: b for a, b in named("", model).items() if "running" in a})
    model.load_state_dict(start)
    with torch.no_grad():
        t.update({"s.train." + a: b for a, b in model.backbone.stages(x).items()})
    for rate in rates:
        m = new()
        m.load_state_dict(start)
        m.train()
        adam, losses = torch.optim.Adam(m.parameters(), lr=rate), []
        for _ in range(10):
            loss = loss_of(m, x, ya, yd)[0]
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
        t["losses"] = torch.tensor(losses)
        t.update(named("p.", m))
        m.eval()
        with torch.no_grad():
            t["s.after.avgpool"] = m.backbone(x)
    t = {k: v.detach().contiguous() for k, v in t.items() if not k.endswith((".layer1", ".maxpool")) or k.startswith("s.eval")}
    save_file(t, os.path.join(out, name + ".safetensors"))


make(sys.argv[1], "ici_resnet", 15, 4, 64, 4, ())
make(sys.argv[1], "ici_resnet_shallow", 16, 4, 48, 12, (1e-4,), (1, 1, 1, 1))
