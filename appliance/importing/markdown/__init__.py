"""Import of folders of Markdown, as Hugo, Jekyll, Zola, Pelican, Eleventy, Hexo and people arrange them."""
