// Reads links: the settings that each sets, null, or {refused} with the sentence.

export default async (load, { name, fields, settings, links }) => {
  const { fromFragment } = await load("widgets/front/settings");
  return links.map((link) => {
    try {
      return fromFragment(name, fields, settings, link);
    } catch (error) {
      return { refused: `${error.name}: ${error.message}` };
    }
  });
};
