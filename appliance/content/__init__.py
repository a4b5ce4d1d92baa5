"""The editorial database: sites, entries, pages, authors, categories, tags, comments, assets."""
