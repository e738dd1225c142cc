// The recorded explorer's arithmetic; views are {run, group, every, smoothing}.

export default async (load, { views = [], spreads = [] }) => {
  const { view } = await load("widgets/recorded");
  const { unpack } = await load("widgets/packing");
  const { spread } = await load("widgets/front/chart");
  return {
    views: views.map(({ run, group, ...settings }) => {
      const loss = unpack(run.losses[0]);
      const { x, y, ...numbers } = view({ loss, perEpoch: run.perEpoch }, settings, group);
      return { x: Array.from(x), y: Array.from(y), loss: Array.from(loss), ...numbers };
    }),
    spreads: spreads.map((given) => spread(...given)),
  };
};
