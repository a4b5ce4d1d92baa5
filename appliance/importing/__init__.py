"""Reading other systems' content: Markdown folders as people have them."""
