"""The probes of a run, function by function."""

from typing import Any

import numpy as np

from esp_lib.quadratic.probes import NORMS, PRODUCTS


def slow_probe(problem, optimizer, order, batch_size, probes, x0=3.0):
    """The same record by definition: loops over functions, dense vectors, textbook update."""
    used = np.zeros(problem.dim, bool)
    used[problem.coordinate] = True

    def loss_and_gradient(batch, x):
        loss, gradient = 0.0, np.zeros(problem.dim)
        for i in batch:
            d = problem.coordinate[i]
            loss += problem.a[i] * (x[d] - problem.c[i]) ** 2 + problem.b[i]
            gradient[d] += 2 * problem.a[i] * (x[d] - problem.c[i])
        return loss / len(batch), gradient / len(batch)

    x = np.full(problem.dim, float(x0))
    state = optimizer.init(x)
    norm: dict[str, list[Any]] = {name: [] for name in NORMS}
    product: dict[str, list[Any]] = {name: [] for name in PRODUCTS}
    losses: dict[str, list[Any]] = {"run": [], "before": [], "after": []}
    states = {}
    per_epoch = order.shape[1] // batch_size
    for t, batch in enumerate(order.reshape(-1, batch_size)):
        loss, g = loss_and_gradient(batch, x)
        losses["run"].append(loss)
        moved, after = optimizer.update(g, state, x)
        parts = {"g": g, "m": after.m, "v": after.v, "update": moved - x}
        epoch = t // per_epoch
        if epoch in probes.epochs:
            batches = order[epoch].reshape(per_epoch, batch_size)
            watched = [batches[b] for b in probes.batches]
            gradients = [loss_and_gradient(w, x)[1] for w in watched]
            for name in NORMS:
                norm[name].append(np.sqrt(np.sum(parts[name][used] ** 2)))
            for name in PRODUCTS:
                product[name].append([parts[name] @ gradient for gradient in gradients])
            losses["before"].append([loss_and_gradient(w, x)[0] for w in watched])
            losses["after"].append([loss_and_gradient(w, moved)[0] for w in watched])
        if t in probes.states:
            states[t] = {"x": x, "g": g, "m": after.m, "v": after.v, "v_before": state.v}
        x, state = moved, after
    return norm, product, losses, states
