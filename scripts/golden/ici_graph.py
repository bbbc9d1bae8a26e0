#!/usr/bin/env python3
"""PIAA-ICI's heads and attribute graph in PyTorch, as the paper's code has them: python scripts/golden/ici_graph.py OUT

Parameters have the published names; float32, one thread.  The graph's pairs are computed in the factored form, which is checked here against
the literal one.  Every NAME.safetensors holds inputs (`in.`), weights at the start (`w.`), stages of the forward pass (`s.`), losses,
gradients (`g.`) and the weights after ten steps of Adam (`p.`): step t of phase 2 on rows t n / 10 to (t + 1) n / 10, phase 3 on all rows, which
are then user 2's (and have the traits of row 0).  ici_graph_full_real, of the published sizes, holds the first four rows of its large results.
ici_graph_departures: a node for the person beside the traits, and attributes with weights of their own, which the published code does not have.
"""
import os
import sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

CATEGORIES = ["age", "gender", "EducationalLevel", "artExperience", "photographyExperience"]
STEPS = 10


class Heads(nn.Module):
    def __init__(self, features, attributes, bins):
        super().__init__()
        self.attr_head = nn.Linear(features, attributes)
        self.dis_head = nn.Linear(features, bins)

    def forward(self, f):
        return self.attr_head(f), self.dis_head(f)


def heads_loss(attr, logits, y_attr, y_dis):
    distance = (F.softmax(logits, -1).cumsum(-1) - y_dis.cumsum(-1)).abs().mean()
    return F.mse_loss(attr, y_attr) + 0.1 * distance, distance


class Pair(nn.Module):
    def __init__(self, d, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * d, hidden), nn.ReLU(), nn.Linear(hidden, d))

    def forward(self, nodes):
        first, second = self.net[0], self.net[2]
        d, k = nodes.shape[-1], nodes.shape[1]
        left = nodes @ first.weight[:, :d].T + first.bias
        right = nodes @ first.weight[:, d:].T
        return F.relu(left[:, :, None] + right[:, None]).sum(2) @ second.weight.T + k * second.bias

    def literal(self, nodes):
        b, k, d = nodes.shape
        return self.net(torch.cat([nodes[:, :, None].expand(b, k, k, d), nodes[:, None].expand(b, k, k, d)], -1)).sum(2)


class Graph(nn.Module):
    def __init__(self, users, attributes=7, bins=9, d=64, hidden=256, sizes=None, user_node=False, identity=False):
        super().__init__()
        self.full, self.user_node, self.identity = sizes is not None, user_node, identity
        self.img_node_proj = nn.ModuleList([nn.Linear(1, d) for _ in range(attributes)]) if identity else nn.Linear(1, d)
        self.user_id_emb = nn.Embedding(users, d)
        if self.full:
            self.user_cat_emb = nn.ModuleDict({f: nn.Embedding(sizes[f], d) for f in CATEGORIES})
            self.user_num_proj = nn.ModuleList([nn.Linear(1, d) for _ in range(5)])
        self.int_mlp_user, self.int_mlp_img = Pair(d, hidden), Pair(d, hidden)
        if self.full:
            self.ext_proj_user, self.ext_proj_img = nn.Linear(d, d), nn.Linear(d, d)
        self.gru_in = nn.Linear(2 * d, d)
        self.gru_user, self.gru_img = nn.GRUCell(d, d), nn.GRUCell(d, d)
        self.bias_mlp = nn.Sequential(nn.Linear(2 * d, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.dis_fc = nn.Linear(bins, 1)

    def stages(self, user, attr, dis, cat=None, num=None, literal=False):
        s = {}
        if self.identity:
            s["img_nodes"] = torch.stack([p(attr[:, k : k + 1]) for k, p in enumerate(self.img_node_proj)], 1)
        else:
            s["img_nodes"] = self.img_node_proj(attr[..., None])
        if self.full:
            nodes = [self.user_cat_emb[f](cat[:, i]) for i, f in enumerate(CATEGORIES)]
            nodes += [p(num[:, i : i + 1]) for i, p in enumerate(self.user_num_proj)]
            s["user_nodes"] = torch.stack(nodes + [self.user_id_emb(user)] * self.user_node, 1)
        else:
            s["user_nodes"] = self.user_id_emb(user)[:, None]
        for side in ("user", "img"):
            pair = getattr(self, "int_mlp_" + side)
            s["e_" + side] = (pair.literal if literal else pair)(s[side + "_nodes"])
        if self.full:
            s["c_user"] = self.ext_proj_user(s["user_nodes"] * s["img_nodes"].sum(1, keepdim=True))
            s["c_img"] = self.ext_proj_img(s["img_nodes"] * s["user_nodes"].sum(1, keepdim=True))
        else:
            s["c_user"], s["c_img"] = torch.zeros_like(s["e_user"]), torch.zeros_like(s["e_img"])
        for side in ("user", "img"):
            s["in_" + side] = self.gru_in(torch.cat([s["e_" + side], s["c_" + side]], -1))
            x, h = s["in_" + side], s[side + "_nodes"]
            s["fused_" + side] = getattr(self, "gru_" + side)(x.flatten(0, 1), h.flatten(0, 1)).view_as(h)
            s["b_" + side] = s["fused_" + side].sum(1)
        s["b_hat"] = self.bias_mlp(torch.cat([s["b_user"], s["b_img"]], -1))[:, 0]
        s["dis_term"] = self.dis_fc(dis)[:, 0]
        s["y_hat"] = s["b_hat"] + s["dis_term"]
        return s

    def forward(self, *a, **k):
        return self.stages(*a, **k)["y_hat"]


def tuned(model, scope):
    own = {"user_only": ("user_id_emb",), "user_plus_head": ("user_id_emb", "bias_mlp", "dis_fc")}.get(scope)
    return [p for n, p in model.named_parameters() if own is None or n.split(".")[0] in own]


def put(out, name, tensors):
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, os.path.join(out, name + ".safetensors"))


def named(prefix, module):
    return {prefix + k: v.clone() for k, v in module.state_dict().items()}


def grads(prefix, module):
    return {prefix + k: p.grad for k, p in module.named_parameters() if p.grad is not None}


def adam(params, lr, loss_of):
    optimiser, losses = torch.optim.Adam(params, lr=lr), []
    for t in range(STEPS):
        loss = loss_of(t)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return torch.tensor(losses)


def batch(gen, n, users, k, bins, sizes):
    dis = torch.softmax(2 * torch.randn(n, bins, generator=gen), -1)
    return dict(user=torch.randint(users, (n,), generator=gen), attr=1 + 4 * torch.rand(n, k, generator=gen), dis=dis,
                cat=torch.stack([torch.randint(sizes[f], (n,), generator=gen) for f in CATEGORIES], 1),
                num=torch.randint(1, 11, (n, 5), generator=gen).float(), y=1 + torch.randint(9, (n,), generator=gen) / 2)


def call(model, b, rows=slice(None)):
    return {x: b[x][rows] for x in ["user", "attr", "dis"] + ["cat", "num"] * model.full}


def graph(out, name, full, seed, d, hidden, k, bins, users, n, sizes, rates, **departures):
    gen = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)

    def make():
        return Graph(users, k, bins, d, hidden, sizes if full else None, **departures)

    def again():
        m = make()
        m.load_state_dict(start)
        return m

    model, large = make(), d == 64
    start = {a: b.clone() for a, b in model.state_dict().items()}
    b = batch(gen, n, users, k, bins, sizes)
    if departures:  # a person has one set of traits
        b["cat"], b["num"] = b["cat"][:users][b["user"]], b["num"][:users][b["user"]]
    t = {"in." + x: b[x] for x in ["user", "attr", "dis", "y"] + ["cat", "num"] * full}
    t.update(named("w.", model))
    s = model.stages(**call(model, b))
    loss = F.mse_loss(s["y_hat"], b["y"])
    loss.backward()
    t.update({"s." + x: v for x, v in s.items()})
    t["loss.mse"] = loss
    t.update(grads("g.", model))
    off = (model.stages(**call(model, b), literal=True)["y_hat"] - s["y_hat"]).abs().max().item()
    print(f"{name}: the factored form is within {off:.1e} of the literal one")

    for lr in rates:
        m = again()
        key = f"phase2.lr{lr:g}"

        def loss_of(i):
            rows = slice(i * n // STEPS, (i + 1) * n // STEPS)
            return F.mse_loss(m(**call(m, b, rows)), b["y"][rows])

        t["losses." + key] = adam(m.parameters(), lr, loss_of)
        t.update(named(f"p.{key}.", m))
    owned = not full or departures.get("user_node")
    for scope, lr in [("all", rates[0] / 10), ("all", rates[-1])] + [("user_only", rates[-1])] * bool(owned) + [("user_plus_head", rates[-1])] * (not large):
        m = again()
        x = call(m, b)
        x["user"] = torch.full_like(x["user"], 2)
        if full:
            x["cat"], x["num"] = x["cat"][:1].expand(n, -1), x["num"][:1].expand(n, -1)
        key = f"phase3.{scope}.lr{lr:g}"
        t["losses." + key] = adam(tuned(m, scope), lr, lambda i: F.mse_loss(m(**x), b["y"]))
        if not large:
            t.update({f"p.{key}.{a}": v for a, v in named("", m).items() if (v != start[a]).any()})
        t[f"s.{key}.y_hat"] = m(**x)
    if large:
        t = {a: v[:4] if v.dim() > 1 and v.numel() > 1000 and a[:2] != "w." else v for a, v in t.items()}
    put(out, name, t)


def heads(out, name, seed, features, k, bins, n, rates):
    torch.manual_seed(seed)
    model = Heads(features, k, bins)
    start = {a: b.clone() for a, b in model.state_dict().items()}
    x = torch.randn(n, features, requires_grad=True)
    ya, yd = 1 + 4 * torch.rand(n, k), torch.randint(0, 7, (n, bins)).float()
    yd[:, 4] += 1
    target = yd / (yd.sum(1, keepdim=True) + 1e-12)
    t = {"in.feat": x, "in.attr": ya, "s.target": target, **named("w.", model)}
    a, logits = model(x)
    loss, distance = heads_loss(a, logits, ya, target)
    loss.backward()
    t.update({"s.attr": a, "s.softmax": F.softmax(logits, -1), "loss.emd": distance, "loss.total": loss, "g.in.feat": x.grad})
    t.update(grads("g.", model))
    x = x.detach()
    for lr in rates:
        m = Heads(features, k, bins)
        m.load_state_dict(start)

        def loss_of(i):
            rows = slice(i * n // STEPS, (i + 1) * n // STEPS)
            return heads_loss(*m(x[rows]), ya[rows], target[rows])[0]

        t[f"losses.lr{lr:g}"] = adam(m.parameters(), lr, loss_of)
        t.update(named(f"p.lr{lr:g}.", m))
    put(out, name, t)


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    small, real = dict(zip(CATEGORIES, (3, 2, 4, 2, 3))), dict(zip(CATEGORIES, (5, 2, 4, 4, 4)))
    graph(out, "ici_graph_reduced", False, 11, 8, 12, 4, 5, 6, 40, small, (1e-4, 1e-2))
    graph(out, "ici_graph_full", True, 12, 8, 12, 4, 5, 6, 40, small, (1e-4, 1e-2))
    graph(out, "ici_graph_departures", True, 17, 8, 12, 4, 5, 6, 40, small, (1e-4, 1e-2), user_node=True, identity=True)
    graph(out, "ici_graph_full_real", True, 13, 64, 256, 7, 9, 8, 20, real, (1e-4,))
    heads(out, "ici_heads", 14, 24, 7, 9, 40, (1e-4, 1e-2))


if __name__ == "__main__":
    main()
