"""The compiled loop behind `predict`: one coordinate at a time through all steps, visit by visit.

`s` stands for sqrt(v): between visits it only shrinks, by sqrt(beta2) a step.
"""

import numpy as np

from esp_lib._jit import jit

AT_VISITS, WITHHELD, ALWAYS = 0, 1, 2  # where a followed coordinate tells the loss


@jit
def follow(
    a, c, when, who, x0, steps, epoch_steps, observe, carry, inverse_batch,
    decay1, weight1, decay2, weight2, eps, shrink, scale_m, scale_g, root,
):  # fmt: skip
    """Excess a (x - c)^2 of the visited function at each step, summed over those who tell it."""
    total = np.zeros(steps)
    path = np.empty(steps)
    span = epoch_steps if observe == WITHHELD else steps
    for n in range(a.shape[0]):
        x, m, s, j = x0, 0.0, 0.0, 0
        for t in range(0, steps, span):
            end = t + span
            if observe == WITHHELD:
                own = j
                while who[n, own] != 0:
                    own += 1
                x, m, s, j = cross(
                    path,
                    t,
                    when[n, own],
                    x,
                    m,
                    s,
                    j,
                    -1,
                    a[n],
                    c[n],
                    when[n],
                    who[n],
                    carry,
                    inverse_batch,
                    decay1,
                    weight1,
                    decay2,
                    weight2,
                    eps,
                    shrink,
                    scale_m,
                    scale_g,
                    root,
                )
                cross(  # the rest of the epoch, as it would be without function 0
                    path,
                    when[n, own],
                    end,
                    x,
                    m,
                    s,
                    j,
                    0,
                    a[n],
                    c[n],
                    when[n],
                    who[n],
                    carry,
                    inverse_batch,
                    decay1,
                    weight1,
                    decay2,
                    weight2,
                    eps,
                    shrink,
                    scale_m,
                    scale_g,
                    root,
                )
                for q in range(t, end):
                    total[q] += a[n, 0] * (path[q] - c[n, 0]) ** 2
                t = when[n, own]
            x, m, s, j = cross(
                path,
                t,
                end,
                x,
                m,
                s,
                j,
                -1,
                a[n],
                c[n],
                when[n],
                who[n],
                carry,
                inverse_batch,
                decay1,
                weight1,
                decay2,
                weight2,
                eps,
                shrink,
                scale_m,
                scale_g,
                root,
            )
        if observe == ALWAYS:
            for q in range(steps):
                total[q] += a[n, 0] * (path[q] - c[n, 0]) ** 2
        elif observe == AT_VISITS:
            for i in range(when.shape[1]):
                q, f = when[n, i], who[n, i]
                total[q] += a[n, f] * (path[q] - c[n, f]) ** 2
    return total


@jit
def cross(
    path, t, end, x, m, s, j, without, a, c, when, who, carry, inverse_batch,
    decay1, weight1, decay2, weight2, eps, shrink, scale_m, scale_g, root,
):  # fmt: skip
    """Follow one coordinate from step t to `end`; path[t] is x before step t, s is sqrt(v).

    Visits j, j + 1, … are still to come; those of the function `without` are passed over.
    """
    fade = np.sqrt(decay2)
    while True:
        stop = when[j] if j < when.size and when[j] < end else end
        for q in range(t, stop):  # between visits
            path[q] = x
            m *= decay1
            s *= fade
            x = shrink * x - scale_m[q] * m / (root[q] * s + eps)
        t = stop
        if t == end:
            return x, m, s, j
        g = 0.0
        visited = False
        while j < when.size and when[j] == t:
            i = who[j]
            if i != without:
                g += 2.0 * a[i] * (x - c[i]) * inverse_batch
                visited = True
            j += 1
        if visited and not carry:
            m, s = 0.0, 0.0
        m = decay1 * m + weight1 * g
        s = np.sqrt(decay2 * s * s + weight2 * g * g)
        path[t] = x
        x = shrink * x - (scale_m[t] * m + scale_g[t] * g) / (root[t] * s + eps)
        t += 1
