"""What judges readers' comments: the rules of this installation, or a service that speaks Akismet's protocol."""
