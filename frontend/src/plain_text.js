// Stands in for sanitize-html, a third of the pages' script: what the book's controls say is plain
// text (`description_allow_html` is off), so that no page asks ipywidgets to clean HTML.

export default function refuse(html) {
  throw new Error(`this page's controls show plain text, not HTML: ${html}`);
}
