// The prediction: of each setting the predicted loss of each step, and the sentence with that as both curves.

export default async (load, { classes, settings }) => {
  const { predictedLoss, sentenceOf, unpackClasses } = await load("widgets/predict/predict");
  const { measure } = await load("sawtooth/measurement");
  const points = unpackClasses(classes);
  return settings.map((one) => {
    const loss = predictedLoss(points, one);
    const tooth = measure(loss, 100, { skip: 4 });
    return { loss: Array.from(loss), sentence: sentenceOf(tooth, tooth, one) };
  });
};
