"""The search of published entries and pages, on SQLite and PostgreSQL with the same results.

`tokens` divides text into words, `index` keeps the words of every entry, `updates` has them kept by every way in, and
`query` finds entries. docs/explanation/search.md explains the design.
"""
