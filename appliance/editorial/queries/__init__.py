"""Queries of content for the browser, the API and the shell: typed rows, pages of lists, and counts.

Every list is paged by keyset over an index, and every count stops at a bound, so that a page of a hundred thousand
entries takes as long as one of a hundred. Nothing here writes.
"""
