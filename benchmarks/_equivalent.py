"""Mutants that no test is to kill, and why: those that `benchmarks.mutants` calls equivalent.

They compute the same, or differ where no measurement could tell, e.g. at a single p-value.
"""

# reason: "module, function: change" of each mutant
REASONS = {
    "there is no m: its weight in the step is 0 as well": [
        "optimizers, RMSProp.two_moment: decay1=«0.0», -> 1.0",
    ],
    "m has no weight in the step": [
        "optimizers, RMSProp.two_moment: weight1=«0.0», -> 1.0",
    ],
    "m stays 0": [
        "optimizers, RMSProp.two_moment: scale_m=«np.zeros(steps)», -> np.ones(steps)",
    ],
    "v is not used without the second moment": [
        "optimizers, SGD.two_moment: decay2=«0.0», -> 1.0",
        "optimizers, SGD.two_moment: weight2=«0.0», -> 1.0",
    ],
    "eps is not used without the second moment": [
        "optimizers, SGD.two_moment: eps=«1.0», -> 2.0",
    ],
    "the root is not used without the second moment": [
        "optimizers, SGD.two_moment: root=«np.zeros(steps)», -> np.ones(steps)",
    ],
    "the denominator is 0 sqrt(v) + 1": [
        "optimizers, SGD.two_moment: adaptive=«False», -> True",
    ],
    "all columns have the same size": [
        "optimizers, Optimizer.tables: for k in range(0, columns[«0»].size, 64): -> 1",
    ],
    "the numbers stand there twice": [
        "optimizers, Optimizer.tables: "
        "numbers = [np.broadcast_to(n, (count, «1»))[:, 0].tolist() for n in table[:6]] -> 2",
    ],
    "a number by 1 is the number times 1": [
        "optimizers, powers: "
        "return np.cumprod(«beta * np.ones(steps)», axis=-1) -> beta / np.ones(steps)",
        "optimizers, RMSProp.two_moment: "
        "scale_g=«self.lr * np.ones(steps)», -> self.lr / np.ones(steps)",
        "optimizers, SGD.two_moment: "
        "scale_m=«self.lr * np.ones(steps)», -> self.lr / np.ones(steps)",
        "optimizers, Nesterov.two_moment: "
        "m, g = «self.lr * self.momentum * np.ones(steps)», self.lr * np.ones(steps)"
        " -> self.lr * self.momentum / np.ones(steps)",
        "optimizers, Nesterov.two_moment: "
        "m, g = self.lr * self.momentum * np.ones(steps), «self.lr * np.ones(steps)»"
        " -> self.lr / np.ones(steps)",
        "optimizers_parts, AdamUncorrected.two_moment: "
        "return plain._replace(scale_m=«self.lr * np.ones(steps)», root=np.ones(steps))"
        " -> self.lr / np.ones(steps)",
    ],
    "at the first step 1 - t^beta2_decay is 0: nothing old is kept": [
        "optimizers_other, Adafactor.init: "
        "return AdafactorState(0, («np.zeros(np.shape(x))»,)) -> np.ones(np.shape(x))",
        "optimizers_other, AdafactorMatrix.init: "
        "zero = as_matrix(«np.zeros(np.shape(x))») -> np.ones(np.shape(x))",
    ],
    "either is nothing beside any other number here": [
        "optimizers_parts, module: NO_EPS = «1e-300» -> 2e-300",
    ],
    "how many lanes a block has changes no result, only the speed": [
        "kernel, module: BLOCK = «256» -> 257",
    ],
    "whether compiled code is kept on disk changes no result": [
        "kernel, _jit: return numba.njit(cache=«True», **_options)(function) -> False",
    ],
    "NumPy takes any negative length for the one that is left": [
        "kernel, make_layout: batches = order.reshape(-«1», batch_size) -> 2",
        "kernel, _sort_visits: for i in batches.reshape(-«1»): -> 2",
        "sawtooth, measure: runs = curve.loss.reshape(-«1», curve.steps) -> 2",
    ],
    "any number that is no step will do": [
        "kernel, _run_block: stamp = np.full(lanes, -«1») -> 2",
    ],
    "the lanes too many are never visited": [
        "kernel, _run_blocks: "
        "sums[k], a, c, x0[k * BLOCK : (k + «1») * BLOCK], function, lane, start[k], -> 2",
    ],
    "it only shares out the blocks; those too many are empty": [
        "kernel, run_on_cpu: "
        "blocks, steps = layout.start.shape[«0»], layout.start.shape[1] - 1 -> 1",
    ],
    "how the blocks are shared out changes no sum": [
        "kernel, run_on_cpu.run_task: if «each < blocks»: -> each <= blocks",
        "kernel, run_on_cpu: "
        "each = «blocks if len(rules) >= CORES else -(-blocks // CORES)»"
        " -> -(-blocks // CORES) if len(rules) >= CORES else blocks",
        "kernel, run_on_cpu: "
        "each = blocks if «len(rules) >= CORES» else -(-blocks // CORES) -> len(rules) > CORES",
        "kernel, run_on_cpu: "
        "each = blocks if len(rules) >= CORES else -(«-blocks // CORES») -> -blocks * CORES",
    ],
    "no test has to tell two such numbers apart": [
        "sawtooth, module: LEAST = «1e-300» -> 2e-300",
    ],
    "all losses are 0, in any unit": [
        "sawtooth, measure: unit[unit == 0] = «1.0» -> 2.0",
    ],
    "an epoch without points is as good as none": [
        "sawtooth, _fold: epochs = int(epoch.max()) - skip + 1 if epoch.size else «0» -> 1",
    ],
    "leaves more empty slots; only memory": [
        "sawtooth, _fold: "
        "slot = «np.arange(row.size) - np.searchsorted(row, row)» -> np.arange(row.size)",
    ],
    "leaves an empty slot": [
        "sawtooth, _fold: slots = int(slot.max()) + «1» if slot.size else 0 -> 2",
        "sawtooth, _fold: slots = int(slot.max()) + 1 if slot.size else «0» -> 1",
    ],
    "phases without a point are masked": [
        "sawtooth, _fold: phase = «np.zeros((epochs, slots))» -> np.ones((epochs, slots))",
    ],
    "residuals without a point are set to 0 below": [
        "sawtooth, _fit_lines: "
        "fold.mask, fold.y - level[..., None] - slope[..., None] * p, «0.0» -> 1.0",
    ],
    "three points of increasing steps have a spread": [
        "sawtooth, _fit_lines: usable = (n >= MIN_POINTS) & («spread > 0») -> spread >= 0",
    ],
    "differs at one number alone": [
        "sawtooth, _summarize: "
        "p_value = np.where(«p_value < LEAST», 0.0, p_value) -> p_value <= LEAST",
        "sawtooth, _summarize: "
        "bent = («np.abs(concavity) > BENT») & (np.abs(bend) > 3 * bend_error)"
        " -> np.abs(concavity) >= BENT",
        "sawtooth, _summarize: "
        "bent = (np.abs(concavity) > BENT) & («np.abs(bend) > 3 * bend_error»)"
        " -> np.abs(bend) >= 3 * bend_error",
        "sawtooth, _summarize: "
        'shape = np.where(«p_value < LEVEL», shape, "none") -> p_value <= LEVEL',
    ],
    "a cut between rounding and noise; nothing lies near it": [
        "sawtooth, _summarize: exact = (drop_error <= «1e-12» * level) & (boundaries > 0) -> 2e-12",
    ],
    "without boundaries the error is NaN, which is not small": [
        "sawtooth, _summarize: "
        "exact = (drop_error <= 1e-12 * level) & («boundaries > 0») -> boundaries >= 0",
    ],
    "a cut between rounding and a tooth; nothing lies near it": [
        "sawtooth, _summarize: "
        "p_value = np.where(exact, np.where(drop > «1e-9» * level, 0.0, 1.0), p_value) -> 2e-09",
    ],
    "where it is used, the concavity is not 0": [
        "sawtooth, _summarize: "
        'shape = np.where(bent, np.where(«concavity > 0», "concave", "convex"), "linear")'
        " -> concavity >= 0",
    ],
    "every entry is set below": [
        "sawtooth, _profile: "
        "sums = «np.zeros((fold.y.shape[0], bins))» -> np.ones((fold.y.shape[0], bins))",
        "sawtooth, _profile: "
        "counts = «np.zeros((fold.y.shape[0], bins))» -> np.ones((fold.y.shape[0], bins))",
    ],
}
EQUIVALENT = {name: reason for reason, names in REASONS.items() for name in names}
