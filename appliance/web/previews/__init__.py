"""The application of previews: it answers under a host name of its own, with the files of one preview at a time."""
