"""The compiled loop behind `predict`: one coordinate at a time through all steps, visit by visit.

`s` stands for sqrt(v): between visits it only shrinks, by sqrt(beta2) a step.
"""

import numpy as np

from esp_lib._jit import jit

AT_VISITS, WITHHELD, ALWAYS = 0, 1, 2  # where a followed coordinate tells the loss


@jit
def follow(a, c, when, who, x0, steps, epoch_steps, observe, carry, inverse_batch, rule):
    """Excess a (x - c)^2 of the visited function at each step, summed over those who tell it.

    `rule` is a `TwoMoment` of one setting.
    """
    total = np.zeros(steps)
    path = np.empty(steps)
    span = epoch_steps if observe == WITHHELD else steps
    for n in range(a.shape[0]):
        one = a[n], c[n], when[n], who[n], carry, inverse_batch, rule
        x, m, s, j = x0, 0.0, 0.0, 0
        for t in range(0, steps, span):
            end = t + span
            if observe == WITHHELD:
                own = j
                while who[n, own] != 0:
                    own += 1
                stop = when[n, own]
                x, m, s, j = cross(path, t, stop, x, m, s, j, -1, *one)
                # the rest of the epoch, as it would be without function 0
                cross(path, stop, end, x, m, s, j, 0, *one)
                for q in range(t, end):
                    total[q] += a[n, 0] * (path[q] - c[n, 0]) ** 2
                t = stop
            x, m, s, j = cross(path, t, end, x, m, s, j, -1, *one)
        if observe == ALWAYS:
            for q in range(steps):
                total[q] += a[n, 0] * (path[q] - c[n, 0]) ** 2
        elif observe == AT_VISITS:
            for i in range(when.shape[1]):
                q, f = when[n, i], who[n, i]
                total[q] += a[n, f] * (path[q] - c[n, f]) ** 2
    return total


@jit
def cross(path, t, end, x, m, s, j, without, a, c, when, who, carry, inverse_batch, rule):
    """Follow one coordinate from step t to `end`; path[t] is x before step t, s is sqrt(v).

    Visits j, j + 1, … are still to come; those of the function `without` are passed over.
    """
    fade = np.sqrt(rule.decay2)
    while True:
        stop = when[j] if j < when.size and when[j] < end else end
        for q in range(t, stop):  # between visits
            path[q] = x
            m *= rule.decay1
            s *= fade
            x = rule.shrink * x - rule.scale_m[q] * m / (rule.root[q] * s + rule.eps)
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
        m = rule.decay1 * m + rule.weight1 * g
        s = np.sqrt(rule.decay2 * s * s + rule.weight2 * g * g)
        path[t] = x
        x = rule.shrink * x - (rule.scale_m[t] * m + rule.scale_g[t] * g) / (
            rule.root[t] * s + rule.eps
        )
        t += 1
