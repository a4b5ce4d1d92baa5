"""The audit: a row for everything that a person or a program of theirs did, in the transaction that did it."""
