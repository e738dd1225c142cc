// How Sphinx's search ranks what it finds: pages to read come before the library's reference.
// The values are Sphinx's own; its script takes all of them from here or none
// (https://www.sphinx-doc.org/en/master/usage/configuration.html#confval-html_search_scorer).

var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([page, , , , score]) => (page.startsWith("book/api/") ? score - 100 : score),
};
