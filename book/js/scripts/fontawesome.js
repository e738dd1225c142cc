// Takes the place of the theme's script of the same name, 540 kB gzipped: its style sheet already
// draws the icons, from the fonts beside it. Sphinx prefers a project's static files to a theme's.
